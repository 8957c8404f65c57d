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

use crate::{Failure, riscv, server::root};

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

/// QEMU with the image; killed when it is dropped.
pub(crate) struct Guest {
    child: Arc<Mutex<Child>>,
    log: Arc<Mutex<String>>,
    pub(crate) address: SocketAddr,
    monitor: PathBuf,
}

impl Guest {
    /// Boots an image. `more`: options of QEMU.
    pub(crate) fn boot(image: &Path, more: &[&str]) -> Result<Self, Failure> {
        // QEMU takes a port by its number only: one that was free a moment ago.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let number = BOOTED.fetch_add(1, Ordering::Relaxed);
        let monitor = std::env::temp_dir().join(format!("tenure-qemu-{}-{number}", std::process::id()));
        let network = format!("user,id=net,restrict=on,hostfwd=tcp:{address}-:80");
        let mut child = Command::new("qemu-system-riscv32")
            .args(["-machine", "virt", "-cpu", "rv32,a=off,f=off,d=off", "-smp", "1", "-m", "16M", "-bios", "none"])
            .args(["-display", "none", "-serial", "stdio", "-global", "virtio-mmio.force-legacy=false"])
            .args(["-netdev", &network, "-device", "virtio-net-device,netdev=net,id=nic"])
            .args(more)
            .args(["-monitor", &format!("unix:{},server=on,wait=off", monitor.display())])
            .arg("-kernel")
            .arg(image)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => "there is no QEMU: `apt-get install qemu-system-misc`".to_owned(),
                _ => format!("QEMU cannot be started: {error}"),
            })?;
        let stdout = BufReader::new(child.stdout.take().ok_or("QEMU without a standard output")?);
        let guest = Guest { child: Arc::new(Mutex::new(child)), log: Arc::default(), address, monitor };
        let log = guest.log.clone();
        thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(line.trim_end());
                log.push('\n');
            }
        });
        // A guest that hangs is ended, and with it everything here that waits for its answers.
        let child = Arc::downgrade(&guest.child);
        thread::spawn(move || {
            thread::sleep(LIMIT);
            // Dropped: it has done.
            let Some(child) = child.upgrade() else { return };
            eprintln!("the guest has not done within {} s: it is ended", LIMIT.as_secs());
            let _ = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
        });
        Ok(guest)
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
    }
}
