//! Servers among clients that do all that clients do wrong: they reset, half-close, drip, pipeline and leave answers unread,
//! while handlers panic and wait, other threads close and pin connections, and servers stop and start anew.
//!
//! After each server's life all sessions have ended, and descriptors and memory are as before. `cargo xtask torture` runs it.

mod answer;
mod app;
mod client;
mod held;
mod life;
mod memory;
mod numbers;
mod open;
mod options;
mod patience;

use std::{process::ExitCode, sync::Arc, time::Instant};

use tenure_host::Platform;

use app::{Counts, Tally};
use held::Held;
use numbers::Numbers;
use options::{Bound, Options, Port};

/// Lives before descriptors and memory are compared: what is made once is made then.
const WARM_UP: u64 = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if args == ["--help"] {
        println!("{}", options::HELP);
        return ExitCode::SUCCESS;
    }
    let tortured = Options::parse(&args).and_then(|options| {
        for &port in &options.ports {
            let told = match port {
                Port::Linux => torture::<tenure_linux::Linux>(&options),
                Port::Tokio => torture::<tenure_tokio::Tokio>(&options),
            };
            println!("{}: {}", port.name(), told.map_err(|fault| format!("{}: {fault}", port.name()))?);
        }
        Ok(())
    });
    match tortured {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

/// One life after the other; returns what there was of them.
fn torture<P: Platform + 'static>(options: &Options) -> Result<String, String> {
    let (began, seed) = (Instant::now(), options.seed);
    let (mut before, mut all, mut lives) = (None, Counts::default(), 0);
    while match options.bound {
        Bound::Lives(bound) => lives < bound,
        Bound::Minutes(bound) => began.elapsed().as_secs() < 60 * bound,
    } {
        let (number, of_life) = (lives, seed.wrapping_add(lives << 32));
        let fault = |fault| format!("life {number} of seed {seed}, the first one of seed {of_life}: {fault}");
        let tally = Arc::new(Tally::default());
        let lived = life::life::<P>(&tally, &mut Numbers::new(of_life));
        let counts = tally.counts();
        lived.map_err(|what| fault(format!("{what}; {counts}")))?;
        counts.check().map_err(fault)?;
        tally.wake();
        drop(tally);
        all += counts;
        lives += 1;
        let now = Held::now()?;
        if lives <= WARM_UP {
            before = Some(now);
        }
        before.map_or(Ok(()), |before| now.check(before)).map_err(fault)?;
    }
    let (before, after) = (before.unwrap_or_default(), Held::now()?);
    Ok(format!("seed {seed}, {lives} lives: {all}; {before} held before, {after} after"))
}
