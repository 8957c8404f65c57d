//! WebSockets: messages that are sent back, messages to a room, and what an open one takes.

mod client;

use std::{fmt::Write as _, fs};

use tenure_load::{Echo, Load, Opening, Plan, Report, Until, WebSocket};

use crate::{
    Failure,
    contender::{Contender, Programs, WEBSOCKET_LIMIT, WEBSOCKETS},
    figures::thousands,
    instructions::{self, CALLGRIND, collected},
    machine::{self, run_on},
    measure::{Bench, Compared, PATIENCE, Sample, WARM_UP, timed},
    options::Options,
    run::{compiler, contenders, date},
    server::Server,
    table::table,
};
use client::Client;

/// Which WebSockets, and what is sent over them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    name: &'static str,
    /// Whether a message goes to all, and one sends.
    is_room: bool,
    connections: u32,
    pipeline: u32,
    bytes: u32,
    /// WebSockets beside these over which nothing is sent.
    idle: u32,
}

const fn echo(name: &'static str, connections: u32, pipeline: u32, bytes: u32) -> Shape {
    Shape { name, is_room: false, connections, pipeline, bytes, idle: 0 }
}

const fn room(name: &'static str, connections: u32, idle: u32) -> Shape {
    Shape { name, is_room: true, connections, pipeline: 1, bytes: 16, idle }
}

const SHAPES: [Shape; 7] = [
    echo("16 bytes, 1 connection", 1, 1, 16),
    echo("16 bytes, 32", 32, 1, 16),
    echo("16 bytes, 256", 256, 1, 16),
    echo("16 × 32 pipelined", 32, 16, 16),
    echo("16 KiB, 32", 32, 1, 16_384),
    room("to 1,000", 1_000, 0),
    room("to 100 of 10,000", 100, 9_900),
];
/// WebSockets between which memory is measured.
const FEW: u32 = 1_000;
const MANY: u32 = 10_000;

/// What instructions are counted of: a shape, and how often it is run for the one count and for the other.
const COUNTS: [(Shape, u64, u64); 3] = [
    (echo("echo", 1, 1, 16), 400, 1_600),
    (echo("echo, pipelined 16", 1, 16, 16), 400, 1_600),
    (room("delivery to 1,000", 1_000, 0), 4, 16),
];

/// All that was measured of one server.
struct Measured {
    contender: Contender,
    rates: Vec<(Shape, Compared)>,
    memory: Option<f64>,
    instructions: Vec<Option<f64>>,
}

pub(crate) fn run(bench: &Bench, options: &Options) -> Result<(), Failure> {
    let mut contenders = contenders(&WEBSOCKETS, options, &bench.programs)?;
    contenders.push(WEBSOCKET_LIMIT);
    for &contender in &contenders {
        verify(contender, &bench.programs)?;
    }
    eprintln!("verified: {}", contenders.iter().map(|contender| contender.name).collect::<Vec<_>>().join(", "));
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    let (mut repeated, mut disturbed) = (0, 0);
    for &contender in &contenders {
        let mut measured = Measured { contender, rates: Vec::new(), memory: None, instructions: Vec::new() };
        let is_limit = contender == WEBSOCKET_LIMIT;
        for &shape in if options.costs_only || is_limit { &[] } else { &SHAPES[..] } {
            eprint!("{}, {}: ", contender.name, shape.name);
            let sample = |contender| move || sample(bench, contender, shape);
            match bench.compare_by(&sample(contender), &sample(WEBSOCKET_LIMIT)) {
                Ok(compared) => {
                    eprintln!("{}", compared.ratio);
                    repeated += compared.repeated;
                    disturbed += compared.disturbed;
                    measured.rates.push((shape, compared));
                }
                Err(failure) => {
                    eprintln!("{failure}");
                    failures.push(failure.to_string());
                }
            }
        }
        if !options.rates_only {
            costs(&mut measured, &bench.programs);
        }
        all.push(measured);
    }
    let mut text = format!(
        "Measured on {} with `{}`: {}; {}. The server has one core, the load the other. The limit is an epoll loop that unmasks frames \
         and sends them back, or on, and checks nothing. Each ratio is the median of {} adjacent pairs, in brackets the least and the \
         most. {repeated} measurements of pairs were repeated because something else used the machine, {disturbed} were kept although \
         it did to the last.\n",
        date()?,
        options.typed,
        machine::description(),
        compiler()?,
        bench.pairs
    );
    for failure in failures {
        let _ = writeln!(text, "Not measured: {failure}.");
    }
    text.push('\n');
    if !options.costs_only {
        by_shape(&mut text, "messages per processor second, relative to the limit", &all, |compared| {
            compared.ratio.to_string()
        });
        by_shape(&mut text, "messages per processor second", &all, |compared| thousands(compared.rate.median()));
        by_shape(&mut text, "p50 / p99 in µs", &all, |compared| {
            format!("{} / {}", thousands(compared.p50_us.median()), thousands(compared.p99_us.median()))
        });
    }
    if !options.rates_only {
        cost_table(&mut text, &all);
    }
    println!("{text}");
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("websockets.md"), text)?;
        eprintln!("written: {}/websockets.md", out.display());
    }
    Ok(())
}

/// Opens WebSockets for a shape, or beside it.
fn open(server: &Server, connections: u32, is_room: bool, shape: Shape) -> Result<Load<Echo, WebSocket>, Failure> {
    let target = if is_room { "/room" } else { "/echo" };
    let opening = Opening { authority: "a".into(), target: target.into() };
    let plan = Plan { address: server.address, connections, pipeline: shape.pipeline, timeout: Some(PATIENCE) };
    Ok(Load::open(&plan, &opening, Echo::new(shape.bytes))?)
}

fn run_shape(load: &mut Load<Echo, WebSocket>, shape: Shape, until: Until) -> Result<Report, Failure> {
    let report = if shape.is_room { load.run_rounds(until, |_| ())? } else { load.run(until, |_| ())? };
    match report.first_wrong {
        Some(wrong) => Err(format!("{} lengths are wrong, first {wrong:?}", report.wrong).into()),
        None => Ok(report),
    }
}

/// Measures one server once.
fn sample(bench: &Bench, contender: Contender, shape: Shape) -> Result<Sample, Failure> {
    let sample = || {
        let server = Server::start(contender, &bench.programs, Some(bench.cores.server), &[])?;
        run_on(bench.cores.load)?;
        let mut idle = open(&server, shape.idle, false, shape)?;
        run_shape(&mut idle, Shape { is_room: false, ..shape }, Until::Each(1))?;
        let mut load = open(&server, shape.connections, shape.is_room, shape)?;
        run_shape(&mut load, shape, Until::Time(WARM_UP))?;
        let (_, sample) = timed(&server, || run_shape(&mut load, shape, Until::Time(bench.time)))??;
        // They were there all the time.
        run_shape(&mut idle, Shape { is_room: false, ..shape }, Until::Each(1))?;
        Ok(sample)
    };
    sample().map_err(|error: Failure| format!("{}, {}: {error}", contender.name, shape.name).into())
}

/// Memory and instructions of one.
fn costs(measured: &mut Measured, programs: &Programs) {
    let contender = measured.contender;
    match memory(contender, programs) {
        Ok(bytes) => measured.memory = Some(bytes),
        Err(error) => eprintln!("{}, memory: {error}", contender.name),
    }
    eprintln!("{}, bytes per idle WebSocket: {:?}", contender.name, measured.memory);
    for (shape, few, many) in COUNTS {
        if !instructions::is_there() {
            eprintln!("instructions are left out: `apt-get install valgrind`");
            return;
        }
        let counts = [few, many].map(|times| count(contender, programs, shape, times));
        let messages = (many - few) * u64::from(if shape.is_room { shape.connections } else { 1 });
        measured.instructions.push(match counts {
            [Ok(few), Ok(many)] => Some((many as f64 - few as f64) / messages as f64),
            [Err(error), _] | [_, Err(error)] => {
                eprintln!("{}, {}: {error}", contender.name, shape.name);
                None
            }
        });
        eprintln!("{}, instructions, {}: {:?}", contender.name, shape.name, measured.instructions.last());
    }
}

/// Bytes of an open WebSocket over which one message has gone: the slope of resident memory.
fn memory(contender: Contender, programs: &Programs) -> Result<f64, Failure> {
    let server = Server::start(contender, programs, None, &[])?;
    let (mut loads, mut measured) = (Vec::new(), [0, 0]);
    for (resident, connections) in measured.iter_mut().zip([FEW, MANY - FEW]) {
        let mut load = open(&server, connections, false, SHAPES[0])?;
        run_shape(&mut load, SHAPES[0], Until::Each(1))?;
        loads.push(load);
        *resident = server.resident()?;
    }
    Ok((measured[1] as f64 - measured[0] as f64) / f64::from(MANY - FEW))
}

/// All instructions of a server that serves a shape so often.
fn count(contender: Contender, programs: &Programs, shape: Shape, times: u64) -> Result<u64, Failure> {
    let server = Server::start(contender, programs, None, &CALLGRIND)?;
    let mut load = open(&server, shape.connections, shape.is_room, shape)?;
    run_shape(&mut load, shape, Until::Each(times))?;
    collected(server)
}

/// Whether a server does what is to be measured: messages of any length come back, and go to all in the room.
fn verify(contender: Contender, programs: &Programs) -> Result<(), Failure> {
    let server = Server::start(contender, programs, None, &[])?;
    let failure = |error: Failure| format!("{}: {error}", contender.name);
    let verify = || -> Result<(), Failure> {
        let mut echo = [Client::open(server.address, "/echo")?, Client::open(server.address, "/echo")?];
        for bytes in [1, 16, 125, 126, 4_000, 16_384] {
            for client in &mut echo {
                client.expect_back(bytes)?;
            }
        }
        echo[0].expect_pipelined(16)?;
        echo[1].expect_in_two()?;
        let mut room = [Client::open(server.address, "/room")?, Client::open(server.address, "/room")?];
        room[0].send(b"to all")?;
        for client in &mut room {
            client.expect(b"to all")?;
        }
        echo[0].expect_back(16)
    };
    Ok(verify().map_err(failure)?)
}

/// A row for each server and a column for each shape.
fn by_shape(text: &mut String, what: &str, all: &[Measured], cell: impl Fn(&Compared) -> String) {
    let mut head = vec![what.to_owned()];
    head.extend(SHAPES.iter().map(|shape| shape.name.to_owned()));
    let rows = all.iter().filter(|measured| !measured.rates.is_empty()).map(|measured| {
        let of = |shape| measured.rates.iter().find(|(of, _)| *of == shape).map(|(_, compared)| cell(compared));
        let cells = SHAPES.iter().map(|&shape| of(shape).unwrap_or_else(|| "–".to_owned()));
        std::iter::once(measured.contender.name.to_owned()).chain(cells).collect()
    });
    table(text, &head, &rows.collect::<Vec<_>>());
}

fn cost_table(text: &mut String, all: &[Measured]) {
    let mut head = vec!["server".to_owned(), "bytes per idle WebSocket".to_owned()];
    head.extend(COUNTS.iter().map(|(shape, ..)| format!("instructions, {}", shape.name)));
    let number = |figure: Option<f64>| figure.map_or("–".to_owned(), thousands);
    let rows = all.iter().map(|measured| {
        let counted = (0..COUNTS.len()).map(|index| measured.instructions.get(index).copied().flatten());
        let costs = std::iter::once(measured.memory).chain(counted).map(number);
        std::iter::once(measured.contender.name.to_owned()).chain(costs).collect()
    });
    table(text, &head, &rows.collect::<Vec<_>>());
}
