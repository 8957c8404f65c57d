//! Log lines on the UART, in the original's format: `I (312) example: …`.

use core::fmt::{self, Write};

use embassy_time::Instant;
use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::machine;

struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(machine::print);
        Ok(())
    }
}

impl Log for Uart {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The network device's driver tells of its features.
        metadata.level() <= Level::Warn || !metadata.target().starts_with("virtio")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let letter = match record.level() {
            Level::Error => 'E',
            Level::Warn => 'W',
            Level::Info => 'I',
            Level::Debug => 'D',
            Level::Trace => 'V',
        };
        let ms = Instant::now().as_millis();
        // Writing there cannot fail.
        let _ = writeln!(Uart, "{letter} ({ms}) {}: {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Lets log lines go there. To be called before interrupts are enabled.
#[expect(unsafe_code, reason = "without atomic operations a logger can be set in no other way")]
pub fn install() {
    // SAFETY: there is one core, and nothing else runs yet that could log or set a logger.
    unsafe {
        // It can only fail where there is a logger already.
        let _ = log::set_logger_racy(&Uart);
        log::set_max_level_racy(LevelFilter::Info);
    }
}
