//! QEMU with an image for riscv32imc: built, booted, spoken to through its monitor, ended.

use std::{
    fs,
    io::{BufRead, BufReader, ErrorKind, Write},
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Failure,
    capture::{self, Segment},
    riscv,
    server::root,
};

/// A guest that has not done by then hangs.
const LIMIT: Duration = Duration::from_mins(2);
/// Guests so far.
static BOOTED: AtomicU32 = AtomicU32::new(0);
/// How long the guest or QEMU may take for a small thing.
pub(crate) const BOOT: Duration = Duration::from_secs(30);

/// Builds a program of a workspace below `firmware` and returns where it is.
pub(crate) fn build(workspace: &str, program: &str, options: &[&str]) -> Result<PathBuf, Failure> {
    let target = riscv::target_dir(root());
    let status = riscv::cargo()?
        .current_dir(root().join("firmware").join(workspace))
        .args(["build", "--release", "--locked", "--target", riscv::TARGET, "--bin", program, "--target-dir"])
        .arg(&target)
        .args(options)
        .status()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !status.success() {
        return Err(format!("{program} cannot be built").into());
    }
    Ok(target.join(riscv::TARGET).join("release").join(program))
}

/// Lines of the guest's log that a report has.
const LOG_LINES: usize = 100;
/// Segments that a report has.
const SEGMENTS: usize = 50;

/// QEMU with the image; killed when it is dropped.
pub(crate) struct Guest {
    child: Arc<Mutex<Child>>,
    log: Arc<Mutex<String>>,
    /// Leads to port 80 of 10.0.2.15.
    pub(crate) address: SocketAddr,
    /// Leads to port 80 of 10.0.2.16.
    pub(crate) moved: SocketAddr,
    monitor: PathBuf,
    capture: PathBuf,
}

impl Guest {
    /// Boots an image. `more`: options of QEMU.
    pub(crate) fn boot(image: &Path, more: &[&str]) -> Result<Self, Failure> {
        Self::boot_for(LIMIT, image, more)
    }

    /// The same, to be ended after `limit`.
    pub(crate) fn boot_for(limit: Duration, image: &Path, more: &[&str]) -> Result<Self, Failure> {
        // QEMU takes a port by its number only: one that was free a moment ago.
        let (one, other) = (TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?);
        let (address, moved) = (one.local_addr()?, other.local_addr()?);
        drop((one, other));
        let number = BOOTED.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| std::env::temp_dir().join(format!("tenure-{kind}-{}-{number}", std::process::id()));
        let (monitor, capture) = (file("monitor"), file("capture"));
        let network = format!("user,id=net,restrict=on,hostfwd=tcp:{address}-:80,hostfwd=tcp:{moved}-10.0.2.16:80");
        let mut qemu = Command::new("qemu-system-riscv32");
        qemu.args(["-machine", "virt", "-cpu", "rv32,a=off,f=off,d=off", "-smp", "1", "-m", "16M", "-bios", "none"])
            .args(["-display", "none", "-serial", "stdio", "-global", "virtio-mmio.force-legacy=false"])
            .args(["-netdev", &network, "-device", "virtio-net-device,netdev=net,id=nic"])
            .args(more)
            .args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())])
            .args(["-object", &format!("filter-dump,id=capture,netdev=net,file={}", capture.display())])
            .arg("-kernel")
            .arg(image);
        let (child, log) = start(qemu, limit)?;
        Ok(Guest { child, log, address, moved, monitor, capture })
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it ended, if it has.
    pub(crate) fn state(&self) -> String {
        match self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
            Ok(Some(status)) => format!("QEMU has ended: {status}"),
            _ => "QEMU still runs".to_owned(),
        }
    }

    /// For a person: the end of its log, and how it ended.
    pub(crate) fn report(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        // The last lines say where it hangs.
        let from = lines.len().saturating_sub(LOG_LINES);
        let segments: Vec<_> = self.segments().unwrap_or_default().iter().map(Segment::to_string).collect();
        let last = segments.len().saturating_sub(SEGMENTS);
        let segments = segments[last..].join("\n");
        let segments = if segments.is_empty() { segments } else { segments + "\n(the last TCP segments)\n" };
        format!("{segments}{}\n(the guest's log ends; {})", lines[from..].join("\n"), self.state())
    }

    /// TCP segments that were exchanged so far.
    pub(crate) fn segments(&self) -> Result<Vec<Segment>, Failure> {
        Ok(capture::segments(&fs::read(&self.capture)?).collect())
    }

    pub(crate) fn wait_for(&self, text: &str, patience: Duration) -> Result<(), Failure> {
        self.wait(patience, || self.log().contains(text))
            .map_err(|state| format!("no line with {text:?}: {state}").into())
    }

    pub(crate) fn wait(&self, patience: Duration, is_so: impl Fn() -> bool) -> Result<(), String> {
        let until = Instant::now() + patience;
        while !is_so() {
            let state = self.state();
            if Instant::now() > until || state.contains("ended") {
                return if is_so() { Ok(()) } else { Err(state) };
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Gives QEMU's monitor a command, and returns what it has said.
    pub(crate) fn command(&self, command: &str) -> Result<String, Failure> {
        let mut monitor = UnixStream::connect(&self.monitor)?;
        monitor.set_read_timeout(Some(BOOT))?;
        let mut answers = BufReader::new(monitor.try_clone()?);
        writeln!(monitor, "{command}")?;
        // Its prompt comes twice: before the command is read, and when it is done.
        let mut said = Vec::new();
        for _ in 0..2 {
            said.clear();
            answers.read_until(b')', &mut said)?;
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Ends QEMU in order; the guest must still have been there.
    pub(crate) fn shut_down(&self) -> Result<(), Failure> {
        let _ = self.command("quit")?;
        self.wait(BOOT, || self.state().contains("ended")).map_err(|_| "QEMU does not end")?;
        let status = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait()?;
        if status.success() { Ok(()) } else { Err(format!("QEMU has failed: {status}").into()) }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
        let _ = fs::remove_file(&self.monitor);
        let _ = fs::remove_file(&self.capture);
    }
}

/// Starts a program that is ended after `limit`, and collects what it prints.
fn start(mut program: Command, limit: Duration) -> Result<(Arc<Mutex<Child>>, Arc<Mutex<String>>), Failure> {
    let started = program.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| match error.kind() {
        ErrorKind::NotFound => "there is no QEMU: `apt-get install qemu-system-misc`".to_owned(),
        _ => format!("QEMU cannot be started: {error}"),
    })?;
    let stdout = BufReader::new(child.stdout.take().ok_or("QEMU without a standard output")?);
    let (child, log) = (Arc::new(Mutex::new(child)), Arc::default());
    let lines: Arc<Mutex<String>> = Arc::clone(&log);
    thread::spawn(move || {
        for line in stdout.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
    });
    // A guest that hangs is ended, and with it everything here that waits for its answers.
    let hanging = Arc::downgrade(&child);
    thread::spawn(move || {
        thread::sleep(limit);
        // Dropped: it has done.
        let Some(child) = hanging.upgrade() else { return };
        eprintln!("the guest has not done within {limit:?}: it is ended");
        let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    });
    Ok((child, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(script: &str, limit: Duration) -> Guest {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        let (child, log) = start(shell, limit).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Guest { child, log, address: nowhere, moved: nowhere, monitor: PathBuf::new(), capture: PathBuf::new() }
    }

    #[test]
    fn a_guest_that_hangs_is_ended_and_its_log_told() {
        let guest = guest("echo booting; exec sleep 600", Duration::from_millis(200));
        let failure = guest.wait_for("Starting server", BOOT).unwrap_err().to_string();
        assert!(failure.contains("\"Starting server\"") && failure.contains("QEMU has ended"), "{failure}");
        let report = guest.report();
        assert!(report.starts_with("booting\n") && report.contains("QEMU has ended: signal: 9"), "{report}");
    }

    #[test]
    fn one_that_starts_is_not() {
        let guest = guest("echo booting; echo 'Starting server'; exec sleep 600", LIMIT);
        guest.wait_for("Starting server", BOOT).unwrap();
        assert!(guest.report().ends_with("QEMU still runs)"), "{}", guest.report());
    }
}
