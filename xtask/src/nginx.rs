//! The cases of `conformance/files`, asked of nginx: where it answers otherwise, the table has to say so.

#[path = "../../crates/tenure/tests/support/file_cases.rs"]
mod file_cases;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, SystemTime},
};

use crate::{Failure, server::root};
use file_cases::{MODIFIED, PLAIN, Tags, cases, field_of, page};

/// How often it is tried whether nginx listens, 20 ms apart.
const TRIES: u32 = 500;

/// Where Debian puts it, which is not in everyone's path.
const PROGRAM: &str = "/usr/sbin/nginx";

/// An nginx that is ended with this value.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn run() -> Result<(), Failure> {
    let folder = root().join("target/nginx");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, TcpListener::bind("127.0.0.1:0")?.local_addr()?.port()));
    let _nginx = start(&folder, address)?;
    let ask = |request: &str| ask(address, request);
    let mut failed = None;
    let tags = Tags::learn(|request| {
        ask(request).unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let (mut wrong, mut others) = (Vec::new(), 0);
    let cases = cases();
    for case in &cases {
        let response = ask(&case.bytes(&tags))?;
        let checked = case.check(&tags, &response);
        let status = str::from_utf8(response.get(9..12).unwrap_or_default())?.parse().ok();
        match (case.nginx, checked) {
            (None, Ok(())) => {}
            (None, Err(error)) => wrong.push(format!("{error}the table does not say that nginx answers otherwise")),
            (Some(_), Ok(())) => wrong.push(format!("{}: nginx does not answer otherwise", case.place)),
            (told, Err(_)) if told == status => others += 1,
            (told, Err(error)) => wrong.push(format!("{error}the table tells of {told:?}")),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n\n").into());
    }
    println!(
        "{} cases: nginx answers {} the same, {others} otherwise, as the table says",
        cases.len(),
        cases.len() - others
    );
    Ok(())
}

/// Starts it with the files of the cases.
fn start(folder: &Path, address: SocketAddr) -> Result<Nginx, Failure> {
    let site = folder.join("site");
    fs::create_dir_all(&site)?;
    let files: [(&str, &[u8]); 4] = [
        ("plain.txt", PLAIN.as_bytes()),
        ("empty.txt", b""),
        ("page.html", page().leak().as_bytes()),
        ("page.html.gz", b"\x1f\x8bpacked"),
    ];
    for (name, bytes) in files {
        let path = site.join(name);
        fs::write(&path, bytes)?;
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(MODIFIED);
        fs::File::options().write(true).open(path)?.set_modified(modified)?;
    }
    let here = folder.display();
    let temporary =
        ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {here}/{what};\n"));
    let temporary = temporary.concat();
    let settings = format!(
        "daemon off;\nmaster_process off;\npid {here}/nginx.pid;\nerror_log {here}/error.log;\nevents {{}}\n\
         http {{\naccess_log off;\n{temporary}types {{ text/html html; text/plain txt; }}\n\
         server {{\nlisten {address};\nroot {here}/site;\ngzip_static on;\ngzip_vary on;\n}}\n}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, settings)?;
    let child = Command::new(PROGRAM).arg("-p").arg(folder).arg("-c").arg(&path).spawn();
    let mut nginx = Nginx(child.map_err(|error| format!("{PROGRAM}: {error}: apt-get install nginx-light"))?);
    for _ in 0..TRIES {
        if TcpStream::connect(address).is_ok() {
            return Ok(nginx);
        }
        if let Some(status) = nginx.0.try_wait()? {
            return Err(format!("nginx has ended: {status}; see {here}/error.log").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err("nginx does not listen".into())
}

/// Sends a request and reads the response to it.
fn ask(address: SocketAddr, request: &str) -> Result<Vec<u8>, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&response);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let is_empty = request.starts_with("HEAD ") || text.get(9..12) == Some("304");
            let length = field_of(head, "Content-Length").filter(|_| !is_empty);
            let length = length.map_or(Ok(0), |length| length.parse::<usize>())?;
            let head = response.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(0) + 4;
            if response.len() >= head + length {
                return Ok(response);
            }
        }
        let mut bytes = [0; 4_096];
        let count = stream.read(&mut bytes)?;
        if count == 0 {
            return Err(format!("nginx closes in the midst of a response to\n{request}").into());
        }
        response.extend_from_slice(&bytes[..count]);
    }
}
