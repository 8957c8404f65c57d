//! A test of this binary in a process of its own: signals and the limit of open files are a whole process's.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// A process that runs one test of this binary which is ignored otherwise.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Every line so far.
    pub(crate) told: Vec<String>,
}

impl Process {
    /// Starts the test of that name; what it prints on either stream is heard.
    pub(crate) fn start(test: &str) -> Self {
        Process::of(Command::new(std::env::current_exe().unwrap()), test)
    }

    /// Starts it where Ctrl-C ends a process, also if it is ignored here, as in the background of a shell.
    pub(crate) fn start_with_interrupts(test: &str) -> Self {
        if cfg!(not(target_os = "linux")) {
            return Process::start(test);
        }
        let mut env = Command::new("env");
        env.arg("--default-signal=INT").arg(std::env::current_exe().unwrap());
        Process::of(env, test)
    }

    /// Starts it where Ctrl-C is ignored, as a shell does in the background.
    pub(crate) fn start_without_interrupts(test: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap '' INT; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        Process::of(shell, test)
    }

    fn of(mut program: Command, test: &str) -> Self {
        let mut child = program
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary can be run again");
        let (tell, lines) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let also = tell.clone();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| also.send(line))
        });
        Process { stdin: child.stdin.take(), child, lines, told: Vec::new() }
    }

    /// Waits for a line that has that text, and returns what stands behind it.
    pub(crate) fn hear(&mut self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("`{text}` was not heard ({error}), but {:#?}", self.told));
            self.told.push(line.clone());
            if let Some((_, behind)) = line.split_once(text) {
                return behind.trim().to_owned();
            }
        }
    }

    /// Where its server listens.
    pub(crate) fn address(&mut self) -> SocketAddr {
        self.hear("listening at ").parse().expect("an address")
    }

    /// Sends it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").expect("it listens");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.told.push(line);
        }
        self.child.wait().expect("it has ended")
    }

    /// How often a text was told.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.told.iter().filter(|line| line.contains(text)).count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child: waits for a line.
pub(crate) fn line() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("the parent speaks");
    line.trim().to_owned()
}

/// In the child: tells the parent what is logged.
pub(crate) fn log_to_parent() {
    static LOGGER: Logger = Logger;
    log::set_logger(&LOGGER).expect("no other logger is set");
    log::set_max_level(log::LevelFilter::Info);
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // Written whole, so that no other line comes between.
        let _ = std::io::stderr().write_all(format!("log: {}\n", record.args()).as_bytes());
    }

    fn flush(&self) {}
}
