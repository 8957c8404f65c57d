//! The bench: starts the servers, verifies and measures them, and writes the table and the picture.
#![forbid(unsafe_code)]

mod client;
mod contender;
mod figures;
mod machine;
mod measure;
mod requests;
mod server;
mod verify;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let exe = std::env::current_exe()?;
    let own = exe.parent().unwrap().to_owned();
    let programs = contender::Programs { tenure: own.join("tenure"), own };
    let bench = measure::Bench {
        programs,
        cores: machine::Cores::choose()?,
        time: std::time::Duration::from_millis(400),
        pairs: 3,
    };
    for c in contender::ALL {
        if !c.is_there(&bench.programs) {
            println!("no {}", c.name);
            continue;
        }
        verify::verify(c, &bench.programs)?;
        for s in [measure::ONE, measure::PLAIN, measure::PIPELINED] {
            let r = bench.against_limit(c, s);
            match r {
                Ok(r) => println!(
                    "{} {}: {} {} p50 {:.1} p99 {:.1} rep {} dist {}",
                    c.name,
                    s.name,
                    r.ratio,
                    figures::thousands(r.rate.median()),
                    r.p50_us.median(),
                    r.p99_us.median(),
                    r.repeated,
                    r.disturbed
                ),
                Err(e) => println!("{} {e}", c.name),
            }
        }
    }
    Ok(())
}
