//! A server in a process of its own, on a core of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    Failure,
    contender::{Contender, Kind, Programs},
    files,
    machine::{self, Ns},
};

/// How long a start or an end may take, under callgrind, too.
const START: Duration = Duration::from_mins(1);
/// Connections that every server must be able to have.
const CONNECTIONS: u32 = 12_000;

/// A server that runs; killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    directory: PathBuf,
}

impl Server {
    /// Starts it, on that core alone, by `wrapper` if there is one: a program and its arguments; `{}` stands for a directory
    /// of the server's own.
    pub(crate) fn start(
        contender: Contender,
        programs: &Programs,
        core: Option<usize>,
        wrapper: &[&str],
    ) -> Result<Self, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("tenure-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let mut line: Vec<String> =
            wrapper.iter().map(|argument| argument.replace("{}", &directory.to_string_lossy())).collect();
        let mut address: Option<SocketAddr> = None;
        let path = |path: &Path| path.to_string_lossy().into_owned();
        match contender.kind {
            Kind::Tenure(options) => {
                line.push(path(&programs.tenure));
                line.extend(["serve", "--bind", "127.0.0.1:0", "--threads", "1", "--quiet"].map(str::to_owned));
                line.extend(["--sessions".to_owned(), CONNECTIONS.to_string()]);
                line.extend(options.iter().map(|&option| option.to_owned()));
            }
            Kind::Own(program) => line.push(path(&programs.own.join(program))),
            Kind::Files(program) => {
                line.extend([path(&programs.own.join(program)), path(&files::folder(&programs.own))]);
            }
            Kind::Nginx | Kind::NginxFiles => {
                // It does not tell which port it has got, so that one is chosen that was free a moment ago.
                let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
                address = Some(free);
                let is_files = contender.kind == Kind::NginxFiles;
                let serves = if is_files {
                    // As Debian's nginx.conf has it.
                    format!("sendfile on; tcp_nopush on; root {};", files::folder(&programs.own).display())
                } else {
                    "location = /adder { return 200 1; }".to_owned()
                };
                fs::write(directory.join("nginx.conf"), nginx(free, &serves))?;
                let own = path(&directory);
                line.extend(["nginx", "-p", &own, "-c", "nginx.conf", "-e", "stderr"].map(str::to_owned));
            }
        }
        let (program, arguments) = line.split_first().ok_or("no program")?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        // What is started inherits the core of the thread that starts it.
        let child = thread::scope(|scope| {
            let start = || -> Result<Child, String> {
                if let Some(core) = core {
                    machine::run_on(core).map_err(|error| error.to_string())?;
                }
                command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))
            };
            scope.spawn(start).join()
        });
        let child = child.map_err(|_| "a thread has panicked")??;
        let mut server = Server { child, address: ([127, 0, 0, 1], 0).into(), directory };
        server.address = match address {
            Some(address) => server.wait(address)?,
            None => server.told(contender)?,
        };
        Ok(server)
    }

    /// The address that it says.
    fn told(&mut self, contender: Contender) -> Result<SocketAddr, Failure> {
        let mut stdout = BufReader::new(self.child.stdout.take().ok_or("a server without a standard output")?);
        let mut line = String::new();
        let address = loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                return Err(format!("{} does not start", contender.name).into());
            }
            let text = line.trim_end();
            if let Some((_, address)) = text.split_once("listening on ") {
                break address.parse()?;
            }
            if let Some((_, port)) = text.split_once("Starting server on port: '") {
                break SocketAddr::from(([127, 0, 0, 1], port.trim_end_matches('\'').parse()?));
            }
        };
        // What it says from now on is not waited for, nor does it block.
        thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Ok(address)
    }

    /// Waits until something listens there.
    fn wait(&mut self, address: SocketAddr) -> Result<SocketAddr, Failure> {
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begin.elapsed() > START || self.child.try_wait()?.is_some() {
                return Err("nginx does not start".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(address)
    }

    /// Processor time that it has used.
    pub(crate) fn time(&self) -> Result<Ns, Failure> {
        machine::process_time(self.child.id())
    }

    /// Its resident memory in bytes (proc(5), `smaps_rollup`).
    pub(crate) fn resident(&self) -> Result<u64, Failure> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let kib =
            text.lines().find_map(|line| line.strip_prefix("Rss:")?.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.ok_or("smaps_rollup has no such line")? * 1024)
    }

    /// Ends it as a person would, and returns the text of that file in its directory.
    pub(crate) fn stop(mut self, file: &str) -> Result<String, Failure> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let begin = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begin.elapsed() > START {
                return Err("the server does not end".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(fs::read_to_string(self.directory.join(file))?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// One process that serves that.
fn nginx(address: SocketAddr, serves: &str) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid;
events {{ worker_connections {CONNECTIONS}; }}
http {{
  access_log off; default_type text/plain; keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{ listen {address} backlog=4096; {serves} }}
}}
"
    )
}
