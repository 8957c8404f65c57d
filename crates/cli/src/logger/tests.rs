//! The logger on outputs that are closed, blocked and slow.

use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// An output that takes bytes only when it is let to, and tells of each write.
struct Gate {
    asked: Sender<String>,
    granted: Receiver<io::Result<usize>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asked.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(io::Error::other)?;
        self.granted.recv().map_err(io::Error::other)?.map(|bytes_max| bytes_max.min(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Tells of everything that is written.
struct Sink(Sender<String>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8(bytes.to_vec()).unwrap()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Test {
    logger: Logger,
    asked: Receiver<String>,
    grant: Sender<io::Result<usize>>,
    complaints: Receiver<String>,
}

fn gated(bytes_max: usize) -> Test {
    let ((asking, asked), (grant, granted), (complaining, complaints)) = (channel(), channel(), channel());
    let logger = Logger::new(Instant::now(), bytes_max);
    logger.start(Gate { asked: asking, granted }, Sink(complaining)).unwrap();
    Test { logger, asked, grant, complaints }
}

impl Test {
    fn log(&self, text: &str) {
        log_at(&self.logger, Level::Info, "example", text);
    }
}

fn log_at(logger: &Logger, level: Level, target: &str, text: &str) {
    logger.log(&Record::builder().level(level).target(target).args(format_args!("{text}")).build());
}

/// The lines without their times.
fn without_times(lines: &str) -> Vec<String> {
    let without = |line: &str| {
        let (level, rest) = line.split_once(" (").unwrap();
        let (time, text) = rest.split_once(") ").unwrap();
        assert!(time.parse::<u64>().is_ok(), "{line}");
        format!("{level} {text}")
    };
    lines.lines().map(without).collect()
}

const EVERYTHING: usize = usize::MAX;

/// Far above what a test takes: it only ends one that would hang.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn lines_are_the_originals() {
    let (sender, lines) = channel();
    let logger = Logger::new(Instant::now(), QUEUE_BYTES_MAX);
    logger.start(Sink(sender), io::sink()).unwrap();
    let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug, Level::Trace];
    for level in levels {
        log_at(&logger, level, "example", "/adder handler read 1");
    }
    log_at(&logger, Level::Info, "a", "one\r\nI (0) b: two \x1b[2J\u{9b}");
    assert!(logger.settle(LONG));
    let lines: String = lines.try_iter().collect();
    let wanted = [
        "E example: /adder handler read 1",
        "W example: /adder handler read 1",
        "I example: /adder handler read 1",
        "D example: /adder handler read 1",
        "V example: /adder handler read 1",
        "I a: one\\r\\nI (0) b: two \\u{1b}[2J\\u{9b}",
    ];
    assert_eq!(without_times(&lines), wanted);
}

#[test]
fn a_blocked_output_stops_nobody_and_what_was_dropped_is_said_in_its_place() {
    let test = gated(200);
    test.log("first");
    assert_eq!(without_times(&test.asked.recv().unwrap()), ["I example: first"]);
    // The writer is in the middle of its first line now, for as long as the gate is shut.
    for number in 0..100 {
        test.log(&format!("line {number}"));
    }
    assert!(!test.logger.settle(Duration::ZERO), "lines are waiting");
    test.grant.send(Ok(EVERYTHING)).unwrap();
    let lines = test.asked.recv().unwrap();
    assert!(lines.len() <= 200 + 100, "{lines}");
    let lines = without_times(&lines);
    let (notice, kept) = lines.split_last().unwrap();
    for (number, line) in kept.iter().enumerate() {
        assert_eq!(*line, format!("I example: line {number}"));
    }
    assert!(!kept.is_empty());
    let dropped = 100 - kept.len();
    assert_eq!(*notice, format!("W tenure: {dropped} lines were dropped here: the log was not read fast enough"));
    test.log("later");
    test.grant.send(Ok(EVERYTHING)).unwrap();
    assert_eq!(without_times(&test.asked.recv().unwrap()), ["I example: later"]);
    test.grant.send(Ok(EVERYTHING)).unwrap();
    assert!(test.logger.settle(LONG));
    assert!(test.complaints.try_recv().is_err());
}

#[test]
fn a_closed_output_is_said_once() {
    let test = gated(QUEUE_BYTES_MAX);
    test.log("first");
    test.asked.recv().unwrap();
    test.log("second");
    test.grant.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
    let complaint = test.complaints.recv().unwrap();
    assert!(complaint.contains("the log cannot be written any more"), "{complaint}");
    test.log("third");
    assert!(test.logger.settle(LONG), "nothing is waited for any more");
    // The writer has ended: neither end is there any more, and nothing else was written.
    let rest: String = test.complaints.iter().collect();
    assert!(!rest.contains("tenure:"), "{rest}");
    assert!(test.asked.recv().is_err());
}

#[test]
fn an_output_that_takes_a_part_gets_the_rest() {
    let test = gated(QUEUE_BYTES_MAX);
    test.log("text");
    let whole = test.asked.recv().unwrap();
    for answer in [Err(io::ErrorKind::Interrupted.into()), Err(io::ErrorKind::WouldBlock.into()), Ok(3)] {
        test.grant.send(answer).unwrap();
    }
    assert_eq!(test.asked.recv().unwrap(), whole);
    assert_eq!(test.asked.recv().unwrap(), whole);
    assert_eq!(test.asked.recv().unwrap(), whole[3..]);
    test.grant.send(Ok(EVERYTHING)).unwrap();
    assert!(test.logger.settle(LONG));
}

#[test]
fn lines_of_many_threads_keep_their_order() {
    let (sender, lines) = channel();
    let logger = Logger::new(Instant::now(), QUEUE_BYTES_MAX);
    logger.start(Sink(sender), io::sink()).unwrap();
    thread::scope(|scope| {
        for target in ["a", "b", "c", "d"] {
            let logger = &logger;
            scope.spawn(move || (0..200).for_each(|number| log_at(logger, Level::Info, target, &number.to_string())));
        }
    });
    assert!(logger.settle(LONG));
    let lines: String = lines.try_iter().collect();
    let times: Vec<u64> = lines.lines().map(|line| line[3..].split_once(')').unwrap().0.parse().unwrap()).collect();
    assert!(times.is_sorted(), "{lines}");
    for target in ["a", "b", "c", "d"] {
        let prefix = format!("I {target}: ");
        let lines = without_times(&lines);
        let numbers: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(numbers, (0..200).map(|number| number.to_string()).collect::<Vec<_>>(), "{target}");
    }
}
