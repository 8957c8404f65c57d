//! Log lines on the serial line, in the original's format: `I (312) example: …`.
#![allow(unsafe_code, reason = "without atomic operations a logger can be set in no other way")]

use embassy_time::Instant;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Serial;

impl Log for Serial {
    /// Of Espressif's libraries only warnings: the rest is about themselves.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn || !metadata.target().starts_with("esp_")
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
        esp_println::println!("{letter} ({ms}) {}: {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

/// Lets log lines go there. To be called before anything else runs.
pub(crate) fn install() {
    // SAFETY: nothing else runs yet that could log or set a logger.
    unsafe {
        // It can only fail where there is a logger already.
        let _ = log::set_logger_racy(&Serial);
        log::set_max_level_racy(LevelFilter::Info);
    }
}
