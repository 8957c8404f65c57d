//! Files of a folder, beside nginx with sendfile: requests for each second of the server's processor time.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    Failure,
    contender::{Contender, FILES, FILES_NGINX},
    figures::thousands,
    machine::{self, busy_time, own_time, run_on},
    measure::{Bench, PATIENCE, Sample, WARM_UP},
    options::Options,
    run::{compiler, contenders, date},
    server::Server,
    table::table,
};

/// A file, and how it is asked for.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    file: &'static str,
    bytes: usize,
    /// Each asks for the file once, and then all answers are read, one after the other.
    connections: usize,
}

const SHAPES: [Shape; 2] = [
    Shape { name: "16 KiB, 32 connections", file: "16-kib.bin", bytes: 16 << 10, connections: 32 },
    Shape { name: "10 MiB, 4 connections", file: "10-mib.bin", bytes: 10 << 20, connections: 4 },
];

/// What a client reads at once.
const READ_BYTES: usize = 256 << 10;

/// The folder of the files.
pub(crate) fn folder(own: &Path) -> PathBuf {
    own.join("files")
}

pub(crate) fn run(bench: &Bench, options: &Options) -> Result<(), Failure> {
    write(&folder(&bench.programs.own))?;
    if !FILES_NGINX.is_there(&bench.programs) {
        return Err("there is no nginx: `apt-get install nginx-light`".into());
    }
    for contender in [FILES[0], FILES_NGINX] {
        verify(contender, bench)?;
    }
    let mut rows = Vec::new();
    for contender in contenders(&FILES, options, &bench.programs)? {
        for shape in SHAPES {
            let sample = |contender| move || sample(bench, contender, shape);
            let compared = bench.compare_by(&sample(contender), &sample(FILES_NGINX))?;
            eprintln!("{}, {}: {}", contender.name, shape.name, compared.ratio);
            let rate = compared.rate.median();
            rows.push(vec![
                format!("{}, {}", contender.name, shape.name),
                compared.ratio.to_string(),
                thousands(rate),
                thousands(rate * shape.bytes as f64 / f64::from(1 << 20)),
                format!("{} / {}", compared.repeated, compared.disturbed),
            ]);
        }
    }
    let mut text = format!(
        "Measured on {} with `{}`: {}; {}. The server has one core, the load the other. A folder of files, beside nginx with one worker \
         and sendfile, as Debian has it. Each ratio is the median of {} adjacent pairs, in brackets the least and the most.\n\n",
        date()?,
        options.typed,
        machine::description(),
        compiler()?,
        bench.pairs
    );
    let head = [
        "",
        "requests per processor second, relative to nginx",
        "requests per processor second",
        "MiB per processor second",
        "pairs repeated / kept although disturbed",
    ];
    table(&mut text, &head.map(str::to_owned), &rows);
    println!("{text}");
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("files.md"), text)?;
        eprintln!("written: {}/files.md", out.display());
    }
    Ok(())
}

/// Files that nothing packs.
fn write(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for shape in SHAPES {
        fs::write(folder.join(shape.file), content(shape))?;
    }
    Ok(())
}

fn content(shape: Shape) -> Vec<u8> {
    let mut state = 1_u32;
    let bytes = std::iter::repeat_with(|| {
        // Knuth's multiplier: its high bits look like noise.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    bytes.take(shape.bytes).collect()
}

/// Whether a server has these files, byte by byte.
fn verify(contender: Contender, bench: &Bench) -> Result<(), Failure> {
    let server = Server::start(contender, &bench.programs, None, &[])?;
    for shape in SHAPES {
        let mut client = Client::connect(server.address)?;
        client.ask(shape)?;
        let mut body = Vec::new();
        client.answer(shape, |piece| body.extend_from_slice(piece))?;
        if body != content(shape) {
            return Err(format!("{} does not send {} as it is", contender.name, shape.file).into());
        }
    }
    Ok(())
}

/// Measures one server once.
fn sample(bench: &Bench, contender: Contender, shape: Shape) -> Result<Sample, Failure> {
    let server = Server::start(contender, &bench.programs, Some(bench.cores.server), &[])?;
    run_on(bench.cores.load)?;
    let clients = (0..shape.connections).map(|_| Client::connect(server.address));
    let mut clients = clients.collect::<Result<Vec<_>, _>>()?;
    let mut rounds = |time| -> Result<usize, Failure> {
        let (begin, mut answers) = (Instant::now(), 0);
        while begin.elapsed() < time {
            clients.iter_mut().try_for_each(|client| client.ask(shape))?;
            clients.iter_mut().try_for_each(|client| client.answer(shape, |_| ()))?;
            answers += shape.connections;
        }
        Ok(answers)
    };
    rounds(WARM_UP)?;
    let (begin, before) = (Instant::now(), (busy_time()?, own_time()?, server.time()?));
    let answers = rounds(bench.time)?;
    let after = (busy_time()?, own_time()?, server.time()?);
    let used = after.2 - before.2;
    let others = (after.0 - before.0) as f64 - (used + (after.1 - before.1)) as f64;
    let elapsed = begin.elapsed();
    Ok(Sample {
        rate: answers as f64 * 1e9 / used as f64,
        // Answers are not read as they come.
        p50: elapsed / answers.try_into()?,
        p99: elapsed / answers.try_into()?,
        others: others / elapsed.as_nanos() as f64,
    })
}

/// A connection whose answers are read into one buffer, piece by piece.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, buffer: vec![0; READ_BYTES] })
    }

    fn ask(&mut self, shape: Shape) -> Result<(), Failure> {
        Ok(write!(self.stream, "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", shape.file)?)
    }

    /// Reads an answer, which must be 200 and as long as the file; its content goes to `piece`.
    fn answer(&mut self, shape: Shape, mut piece: impl FnMut(&[u8])) -> Result<(), Failure> {
        let mut filled = 0;
        let head = loop {
            match self.stream.read(&mut self.buffer[filled..])? {
                0 => return Err("a connection has ended".into()),
                count => filled += count,
            }
            if let Some(end) = self.buffer[..filled].windows(4).position(|end| end == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = str::from_utf8(&self.buffer[..head])?;
        let length = format!("content-length: {}", shape.bytes);
        if !text.starts_with("HTTP/1.1 200 ") || !text.lines().any(|line| line.eq_ignore_ascii_case(&length)) {
            return Err(format!("{} is answered {text:?}", shape.file).into());
        }
        piece(&self.buffer[head..filled]);
        let mut left = shape.bytes - (filled - head);
        while left > 0 {
            let room = left.min(self.buffer.len());
            let count = self.stream.read(&mut self.buffer[..room])?;
            if count == 0 {
                return Err("a connection has ended".into());
            }
            piece(&self.buffer[..count]);
            left -= count;
        }
        Ok(())
    }
}
