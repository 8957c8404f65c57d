//! What is measured, in which order, and where it goes.

use std::{fmt::Write as _, fs, process::Command, time::Duration};

use crate::{
    Failure,
    contender::{ALL, Contender, HYPER, LIMIT, MAY, Programs, SPIN, TENURE, TOKIO},
    figures::{Figures, thousands},
    files,
    instructions::{self, Case},
    json,
    machine::{self, Cores},
    measure::{BESIDE_IDLE, Bench, MANY, ONE, PAUSING, PIPELINED, PLAIN, Shape},
    memory,
    options::Options,
    picture,
    table::{self, Direct, Measured},
    verify::verify,
    websocket, wrk,
};

const SHAPES: [Shape; 6] = [ONE, PLAIN, MANY, PIPELINED, PAUSING, BESIDE_IDLE];
/// Making 10,000 connections takes longer than measuring: the last shape is left out where time matters.
const QUICK_SHAPES: usize = 5;
/// Connections beside which a request's instructions are counted.
const IDLE: u32 = 10_000;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let exe = std::env::current_exe()?;
    let own = exe.parent().ok_or("a program without a directory")?.to_owned();
    let (pairs, ms) = if options.quick { (3, 300) } else { (9, 1_000) };
    let bench = Bench {
        programs: Programs { tenure: options.tenure.clone(), own },
        cores: Cores::choose()?,
        time: Duration::from_millis(ms),
        pairs: options.pairs.unwrap_or(pairs),
    };
    match options {
        Options { json: true, .. } => json::run(&bench.programs, options),
        Options { files: true, .. } => files::run(&bench, options),
        Options { websockets: true, .. } => websocket::run(&bench, options),
        _ => adder(&bench, options),
    }
}

/// The adder: rates, memory and instructions.
fn adder(bench: &Bench, options: &Options) -> Result<(), Failure> {
    let shapes = match options {
        Options { costs_only: true, .. } => &[],
        Options { quick: true, .. } => &SHAPES[..QUICK_SHAPES],
        _ => &SHAPES[..],
    };
    let contenders = contenders(&ALL, options, &bench.programs)?;
    for &contender in &contenders {
        verify(contender, &bench.programs)?;
    }
    eprintln!("verified: {}", contenders.iter().map(|contender| contender.name).collect::<Vec<_>>().join(", "));
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    let (mut repeated, mut disturbed) = (0, 0);
    for &contender in &contenders {
        let mut rates = Vec::new();
        for &shape in shapes {
            // What spins does so for a single connection's sake.
            if contender == SPIN && shape.connections > 1 {
                continue;
            }
            eprint!("{}, {}: ", contender.name, shape.name);
            // The others are not lost for it.
            let compared = match bench.against_limit(contender, shape) {
                Ok(compared) => compared,
                Err(failure) => {
                    eprintln!("{failure}");
                    failures.push(failure.to_string());
                    continue;
                }
            };
            eprintln!("{}", compared.ratio);
            repeated += compared.repeated;
            disturbed += compared.disturbed;
            rates.push((shape, compared));
        }
        all.push(Measured { contender, rates, memory: [None; 2], instructions: Vec::new() });
    }
    let directs = directs(bench, &contenders, options, &mut failures);
    // What it costs is worth knowing, too.
    all.push(Measured { contender: LIMIT, rates: Vec::new(), memory: [None; 2], instructions: Vec::new() });
    let wrk = if options.costs_only { None } else { wrk::compare(bench)? };
    let cases: &[Case] = if options.quick { &[Case::Small, Case::Pipelined] } else { &Case::TABLE };
    if !options.rates_only {
        costs(bench, &mut all, cases);
    }
    all.sort_by(|one, other| rank(other).total_cmp(&rank(one)));

    let date = date()?;
    let mut text = format!(
        "Measured on {date} with `{}`: {}; {}. The server has one core, the load the other. The limit is an epoll loop that \
         parses nothing. Each ratio is the median of {} adjacent pairs, in brackets the least and the most.",
        options.typed,
        machine::description(),
        compiler()?,
        bench.pairs
    );
    let _ = writeln!(
        text,
        " {repeated} measurements of pairs were repeated because something else used the machine, {disturbed} were kept \
         although it did to the last."
    );
    if let Some(wrk) = wrk {
        let _ = writeln!(text, "{wrk}");
    }
    for failure in failures {
        let _ = writeln!(text, "Not measured: {failure}.");
    }
    text.push('\n');
    if !options.costs_only {
        table::ratios(&mut text, &all, shapes);
        table::rates(&mut text, &all, shapes);
        table::latencies(&mut text, &all, shapes);
    }
    if !options.rates_only {
        table::costs(&mut text, &all, cases);
    }
    if !directs.is_empty() {
        table::directs(&mut text, &directs);
    }
    println!("{text}");
    if let Some(out) = &options.out {
        let rows: Vec<_> = all.iter().filter_map(|measured| measured.row(PLAIN, PIPELINED)).collect();
        fs::create_dir_all(out)?;
        fs::write(out.join("results.md"), text)?;
        fs::write(out.join("results.svg"), picture::draw(&rows, &format!("{date}, {}", machine::description())))?;
        eprintln!("written: {0}/results.md and {0}/results.svg", out.display());
    }
    Ok(())
}

/// Those that are there, of those that are asked for.
pub(crate) fn contenders(all: &[Contender], options: &Options, programs: &Programs) -> Result<Vec<Contender>, Failure> {
    let known = |name: &&String| !all.iter().any(|contender| contender.name == **name);
    if let Some(name) = options.only.iter().find(known) {
        let names: Vec<_> = all.iter().map(|contender| contender.name).collect();
        return Err(format!("{name}: no such server; there are {}", names.join(", ")).into());
    }
    let mut there = Vec::new();
    for &contender in all {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == contender.name) {
            continue;
        }
        if contender.is_there(programs) {
            there.push(contender);
        } else {
            eprintln!("{} is left out: it is not here", contender.name);
        }
    }
    Ok(there)
}

/// Servers against each other, and tenure against itself beside idle connections.
fn directs(bench: &Bench, contenders: &[Contender], options: &Options, failures: &mut Vec<String>) -> Vec<Direct> {
    if options.costs_only {
        return Vec::new();
    }
    let has = |contender| contenders.contains(&contender);
    let mut wanted = Vec::new();
    for (one, other) in [(TENURE, MAY), (TENURE, HYPER), (TOKIO, HYPER), (TOKIO, TENURE)] {
        for &shape in if options.quick { &[PLAIN, PIPELINED][..] } else { &[ONE, PLAIN, MANY, PIPELINED] } {
            if has(one) && has(other) {
                wanted.push((format!("{} by {}, {}", one.name, other.name, shape.name), (one, shape), (other, shape)));
            }
        }
    }
    for contender in [TENURE, TOKIO].into_iter().filter(|&contender| has(contender)) {
        let what = format!("{}: {} by those alone", contender.name, BESIDE_IDLE.name);
        wanted.push((what, (contender, BESIDE_IDLE), (contender, PLAIN)));
    }
    let mut directs = Vec::new();
    for (what, one, other) in wanted {
        eprint!("{what}: ");
        match bench.compare(one, other) {
            Ok(compared) => {
                eprintln!("{}", compared.ratio);
                directs.push(Direct { what, ratio: compared.ratio });
            }
            Err(failure) => {
                eprintln!("{failure}");
                failures.push(format!("{what}: {failure}"));
            }
        }
    }
    if has(TENURE) && instructions::is_there() && !options.rates_only {
        eprintln!("instructions beside {IDLE} idle connections");
        let counts = [(TENURE, Case::BesideIdle(IDLE)), (TENURE, Case::Small)];
        let counted = instructions::count_all(&counts, &bench.programs, &|_, _| ());
        if let [Some(beside), Some(alone)] = counted[..] {
            let mut ratio = Figures::default();
            ratio.push(beside / alone);
            directs.push(Direct {
                what: format!("tenure: instructions beside {} idle by those alone", thousands(IDLE.into())),
                ratio,
            });
        }
    }
    directs
}

/// Memory and instructions of all.
fn costs(bench: &Bench, all: &mut [Measured], cases: &[Case]) {
    for measured in all.iter_mut().filter(|measured| measured.contender != SPIN) {
        let contender = measured.contender;
        for (in_two, bytes) in [false, true].into_iter().zip(&mut measured.memory) {
            // The limit takes the first segment for a whole request.
            if contender == LIMIT && in_two {
                continue;
            }
            match memory::of_connection(contender, &bench.programs, in_two) {
                Ok(slope) => *bytes = Some(slope),
                Err(error) => eprintln!("{}, memory: {error}", contender.name),
            }
        }
        eprintln!("{}, bytes per idle connection: {:?}", contender.name, measured.memory);
    }
    if !instructions::is_there() {
        eprintln!("instructions are left out: `apt-get install valgrind`");
        return;
    }
    let contenders = all.iter().map(|measured| measured.contender).filter(|&contender| contender != SPIN);
    let counts = contenders.flat_map(|contender| cases.iter().map(move |&case| (contender, case)));
    let counts: Vec<_> = counts.filter(|&count| count != (LIMIT, Case::Split)).collect();
    let counted = instructions::count_all(&counts, &bench.programs, &|contender, case| {
        eprintln!("instructions: {}, {}", contender.name, case.name());
    });
    for ((contender, case), count) in counts.into_iter().zip(counted) {
        if let Some(measured) = all.iter_mut().find(|measured| measured.contender == contender) {
            measured.instructions.push((case, count));
        }
    }
}

/// Servers are listed by what they do for 32 connections.
fn rank(measured: &Measured) -> f64 {
    if measured.contender == LIMIT {
        return f64::INFINITY;
    }
    let plain = measured.rates.iter().find(|(shape, _)| *shape == PLAIN);
    plain.map_or(f64::NEG_INFINITY, |(_, compared)| compared.ratio.median())
}

pub(crate) fn date() -> Result<String, Failure> {
    let output = Command::new("date").args(["-u", "+%Y-%m-%d"]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

pub(crate) fn compiler() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("--version").output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split(" (").next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unlike() {
        for (index, contender) in ALL.iter().enumerate() {
            assert!(ALL[index + 1..].iter().all(|other| other.name != contender.name), "{contender:?}");
            assert_ne!(*contender, LIMIT);
        }
    }
}
