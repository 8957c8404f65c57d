//! The server under test, in a process of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::Failure;

/// What the program prints before the number of its port.
const PORT: &str = "Starting server on port: '";

/// A server that runs; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    stderr: Option<JoinHandle<String>>,
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is within the workspace")
}

/// Builds the program as it is released, and returns where it is.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    released("tenure-cli", "tenure")
}

/// Builds a program of that package as it is released, and returns where it is.
pub(crate) fn released(package: &str, name: &str) -> Result<PathBuf, Failure> {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    build.current_dir(root()).args(["build", "--quiet", "--release", "--package", package]);
    if !build.status()?.success() {
        return Err(format!("{package} cannot be built").into());
    }
    Ok(target().join("release").join(name))
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |target| root().join(target))
}

/// The arguments that let the program serve on one thread and say little.
pub(crate) const SERVE: [&str; 6] = ["serve", "--bind", "127.0.0.1:0", "--threads", "1", "--quiet"];

impl Server {
    /// Starts `tenure serve`, built for release, on one thread.
    pub(crate) fn tenure(args: &[&str]) -> Result<Self, Failure> {
        Server::start(Command::new(program()?).args(SERVE).args(args))
    }

    /// Starts a server that tells its port as the program does.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stderr = child.stderr.take().ok_or("a server without a standard error")?;
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let mut stdout = BufReader::new(child.stdout.take().ok_or("a server without a standard output")?);
        let mut server = Server { child, address: ([127, 0, 0, 1], 0).into(), stderr: Some(stderr) };
        let mut line = String::new();
        loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                return Err(format!("the server does not start: {}", server.stop()?).into());
            }
            if let Some((_, port)) = line.split_once(PORT) {
                server.address.set_port(port.trim_end().trim_end_matches('\'').parse()?);
                break;
            }
        }
        // What it says from now on is not waited for, nor does it block.
        thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Ok(server)
    }

    /// Lets it end its connections and its process; returns what it said on standard error.
    pub(crate) fn stop(&mut self) -> Result<String, Failure> {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.child.wait()?;
        let stderr = self.stderr.take().map(JoinHandle::join);
        Ok(stderr.and_then(Result::ok).unwrap_or_default())
    }

    /// The process's memory by its kind, in bytes (proc(5), `smaps_rollup`).
    pub(crate) fn memory(&self, kind: &str) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()).ok_or("smaps_rollup has no such line")?;
        Ok(kibibytes.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Raises this process's limit of open files, which a server that it starts inherits.
pub(crate) fn raise_descriptors(wanted: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    match limit.maximum {
        Some(maximum) if maximum < wanted => {
            Err(format!("{wanted} open files are needed, {maximum} allowed: `ulimit -n`").into())
        }
        _ => Ok(()),
    }
}
