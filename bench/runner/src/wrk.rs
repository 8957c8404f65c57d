//! The load generator against wrk: whether both let a server do the same work for a request, and which of them is faster.

use std::{fs, process::Command};

use tenure_load::{Load, Plan, Repeat, Until};

use crate::{
    Failure,
    contender::LIMIT,
    figures::{Figures, thousands},
    machine::run_on,
    measure::Bench,
    requests::POST,
    server::Server,
};

const CONNECTIONS: u32 = 32;

/// Sends the same bytes as the load does.
const SCRIPT: &str = "\
local file = io.open(os.getenv('REQUEST'), 'rb')
local bytes = file:read('*a')
file:close()
function request() return bytes end
";

/// Measures the limit with both in adjacent pairs; says the result in a sentence, `None` where wrk is not installed.
pub(crate) fn compare(bench: &Bench) -> Result<Option<String>, Failure> {
    // Without arguments it says how it is used and fails, but it is there.
    if Command::new("wrk").output().is_err() {
        return Ok(None);
    }
    let directory = std::env::temp_dir().join(format!("tenure-bench-{}-wrk", std::process::id()));
    fs::create_dir_all(&directory)?;
    fs::write(directory.join("request"), POST)?;
    fs::write(directory.join("script.lua"), SCRIPT)?;
    let (mut ratio, mut own, mut others) = (Figures::default(), Figures::default(), Figures::default());
    for pair in 0..bench.pairs {
        let measure = |by_wrk: bool| if by_wrk { with_wrk(bench, &directory) } else { with_own(bench) };
        let first = measure(pair.is_multiple_of(2))?;
        let second = measure(!pair.is_multiple_of(2))?;
        let (wrk, load) = if pair.is_multiple_of(2) { (first, second) } else { (second, first) };
        ratio.push(load.0 / wrk.0);
        own.push(load.1);
        others.push(wrk.1);
    }
    fs::remove_dir_all(&directory)?;
    Ok(Some(format!(
        "Beside wrk, at {CONNECTIONS} connections to the limit: {ratio} of the requests per processor second of the server; \
         {} requests per second, wrk {}.",
        thousands(own.median()),
        thousands(others.median())
    )))
}

/// Requests per processor second of the server, and per second.
fn with_own(bench: &Bench) -> Result<(f64, f64), Failure> {
    let server = Server::start(LIMIT, &bench.programs, Some(bench.cores.server), &[])?;
    run_on(bench.cores.load)?;
    let plan = Plan { address: server.address, connections: CONNECTIONS, pipeline: 1, timeout: None };
    let mut load = Load::connect(&plan, Repeat::new(POST, LIMIT.sums()))?;
    let report = load.run(Until::Time(bench.time), |_| ())?;
    Ok((report.answers as f64 * 1e9 / server.time()? as f64, report.rate()))
}

fn with_wrk(bench: &Bench, directory: &std::path::Path) -> Result<(f64, f64), Failure> {
    let server = Server::start(LIMIT, &bench.programs, Some(bench.cores.server), &[])?;
    run_on(bench.cores.load)?;
    let url = format!("http://{}/adder", server.address);
    let output = Command::new("wrk")
        // It counts in whole seconds.
        .args([
            "-t1",
            "-c",
            &CONNECTIONS.to_string(),
            "-d",
            &bench.time.as_secs().max(1).to_string(),
            "-s",
            "script.lua",
            &url,
        ])
        .current_dir(directory)
        .env("REQUEST", directory.join("request"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // "  123456 requests in 1.00s, 12.34MB read"
    let counts =
        text.lines().find_map(|line| line.split_once(" requests in ")).ok_or_else(|| format!("wrk says: {text}"))?;
    let requests: f64 = counts.0.trim().parse()?;
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:")).ok_or("wrk says no rate")?;
    Ok((requests * 1e9 / server.time()? as f64, rate.trim().parse()?))
}
