//! Log lines as the original's, on an output that may be slow, blocked or closed: no server thread ever waits for it.
//!
//! Lines go into a bounded queue, and one thread writes them. Where the queue is full they are dropped, and their number is
//! written in their place once the output takes lines again. A failed output is reported once and not used again; the other one
//! goes on.

use std::{
    cell::Cell,
    fmt::Write as _,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// The most bytes of waiting lines: some thousands of lines, as many as a reader may still want.
const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// How long the program waits at its end for lines to be written.
const FLUSH_MAX: Duration = Duration::from_secs(1);

/// The pause before the next write to an output that is non-blocking and full.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// Sends the application's lines to standard output, and the server's own, with complaints about the former, to standard
/// error.
pub(crate) fn install() -> io::Result<()> {
    let started = Instant::now();
    let split =
        Split { application: Logger::new(started, QUEUE_BYTES_MAX), server: Logger::new(started, QUEUE_BYTES_MAX) };
    split.application.start(io::stdout(), io::stderr())?;
    split.server.start(io::stderr(), io::sink())?;
    log::set_boxed_logger(Box::new(split)).map_err(io::Error::other)?;
    log::set_max_level(LevelFilter::Info);
    Ok(())
}

/// Two logs, so that the application's equals ESP-IDF's example, line by line.
struct Split {
    application: Logger,
    server: Logger,
}

impl Split {
    fn of(&self, target: &str) -> &Logger {
        // The crates' own targets are their modules' paths.
        if target.starts_with("tenure") { &self.server } else { &self.application }
    }
}

impl Log for Split {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.of(metadata.target()).enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.of(record.target()).log(record);
    }

    fn flush(&self) {
        self.application.flush();
        self.server.flush();
    }
}

struct Logger {
    started: Instant,
    shared: Arc<Shared>,
}

/// What the threads that log and the one that writes share.
struct Shared {
    queue: Mutex<Queue>,
    bytes_max: usize,
    /// The output has failed: from then on each line only checks this flag. Set under the lock.
    closed: AtomicBool,
    /// Told when there is something to write.
    filled: Condvar,
    /// Told when everything is written, or never will be.
    settled: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Whole lines.
    lines: Vec<u8>,
    /// Lines that had no room, all of them behind `lines`.
    dropped: u64,
    writing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped == 0
    }
}

impl Logger {
    fn new(started: Instant, bytes_max: usize) -> Self {
        let (filled, settled) = (Condvar::new(), Condvar::new());
        let (queue, closed) = (Mutex::default(), AtomicBool::new(false));
        Logger { started, shared: Arc::new(Shared { queue, bytes_max, closed, filled, settled }) }
    }

    /// Starts the thread that writes.
    fn start(&self, output: impl Write + Send + 'static, complaints: impl Write + Send + 'static) -> io::Result<()> {
        let (shared, started) = (self.shared.clone(), self.started);
        let writer = move || write_lines(&shared, started, output, complaints);
        thread::Builder::new().name("log".to_owned()).spawn(writer)?;
        Ok(())
    }

    /// Waits until all lines are written, but no longer than that. Returns whether they are.
    fn settle(&self, within: Duration) -> bool {
        let waits = |queue: &mut Queue| !self.shared.is_closed() && (queue.writing || !queue.is_empty());
        let (queue, _) = self
            .shared
            .settled
            .wait_timeout_while(self.shared.lock(), within, waits)
            .unwrap_or_else(PoisonError::into_inner);
        !queue.writing && queue.is_empty()
    }

    /// Puts a line into the queue.
    fn put(&self, level: Level, text: &str) {
        let mut queue = self.shared.lock();
        if self.shared.is_closed() {
            return;
        }
        // Lines after a dropped one are dropped too, until their number is written in their place.
        if queue.dropped > 0 || queue.lines.len() + text.len() + PREFIX_BYTES_MAX > self.shared.bytes_max {
            queue.dropped += 1;
            return;
        }
        let was_empty = queue.is_empty();
        // The time is taken under the lock: lines are in the order of their times.
        prefix(&mut queue.lines, level, self.started);
        queue.lines.extend_from_slice(text.as_bytes());
        queue.lines.push(b'\n');
        drop(queue);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.shared.is_closed() {
            return;
        }
        thread_local! {
            /// One buffer per thread: a line costs no allocation.
            static LINE: Cell<String> = const { Cell::new(String::new()) };
        }
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line.clear();
        // If a value's `Display` fails, the line ends there.
        let _ = write!(line, "{}: {}", record.target(), record.args());
        if line.contains(char::is_control) {
            // What came from a peer must not look like a line of its own, nor reach a terminal.
            line = escaped(&line);
        }
        self.put(record.level(), &line);
        let _ = LINE.try_with(|place| place.set(line));
    }

    fn flush(&self) {
        self.settle(FLUSH_MAX);
    }
}

/// The text with its control characters written out.
#[cold]
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Bytes at the most of what [`prefix`] writes, and of a line's end.
const PREFIX_BYTES_MAX: usize = 48;

/// Level and milliseconds since the start, as ESP-IDF has them: `I (9570) `.
fn prefix(line: &mut Vec<u8>, level: Level, started: Instant) {
    let letter = match level {
        Level::Error => 'E',
        Level::Warn => 'W',
        Level::Info => 'I',
        Level::Debug => 'D',
        Level::Trace => 'V',
    };
    let _ = write!(line, "{letter} ({}) ", started.elapsed().as_millis());
}

fn write_lines(shared: &Shared, started: Instant, mut output: impl Write, mut complaints: impl Write) {
    let mut batch = Vec::new();
    loop {
        let mut queue = shared.lock();
        queue.writing = false;
        if queue.is_empty() {
            shared.settled.notify_all();
        }
        queue = shared.filled.wait_while(queue, |queue| queue.is_empty()).unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut queue.lines, &mut batch);
        let dropped = std::mem::take(&mut queue.dropped);
        queue.writing = true;
        drop(queue);
        if dropped > 0 {
            prefix(&mut batch, Level::Warn, started);
            let _ = writeln!(batch, "tenure: {dropped} lines were dropped here: the log was not read fast enough");
        }
        if let Err(error) = write_all(&mut output, &batch) {
            let mut queue = shared.lock();
            *queue = Queue::default();
            shared.closed.store(true, Ordering::Relaxed);
            drop(queue);
            shared.settled.notify_all();
            let _ = writeln!(complaints, "tenure: the log cannot be written any more ({error}); the server goes on");
            return;
        }
        batch.clear();
    }
}

/// Writes all of it, however long that takes.
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(RETRY_AFTER),
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

#[cfg(test)]
#[path = "logger/tests.rs"]
mod tests;
