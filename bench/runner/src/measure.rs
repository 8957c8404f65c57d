//! Pairs of measurements: two servers, one right after the other, so that what the machine does otherwise counts for both.

use std::time::Duration;

use tenure_load::{Load, Plan, Repeat, Report, Sums, Until};

use crate::{
    Failure,
    contender::{Contender, LIMIT, Programs},
    figures::Figures,
    machine::{Cores, busy_time, own_time, run_on},
    requests::POST,
    server::Server,
};

/// Only a hang takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What is not measured yet: lanes, pools and buffers find their size.
pub(crate) const WARM_UP: Duration = Duration::from_millis(150);
/// How much of a core others may use meanwhile.
const OTHERS_MAX: f64 = 0.08;
/// How often a pair is measured at the most before one is kept that others have disturbed.
const ATTEMPTS: u32 = 4;
/// Connections that are made before they ask: a server need not wait long for a newcomer's first byte.
const GROUP: u32 = 500;

/// How many connections, and how they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) connections: u32,
    pub(crate) pipeline: u32,
    /// Connections beside these that ask nothing any more.
    pub(crate) idle: u32,
    /// From an answer to the next request.
    pub(crate) pause: Duration,
}

const fn shape(name: &'static str, connections: u32, pipeline: u32, idle: u32) -> Shape {
    Shape { name, connections, pipeline, idle, pause: Duration::ZERO }
}

pub(crate) const ONE: Shape = shape("1 connection", 1, 1, 0);
/// The pauses are long enough for a core to fall asleep: a hypervisor that keeps one awake for a moment hides from the shape
/// above what it takes to wake it.
pub(crate) const PAUSING: Shape =
    Shape { pause: Duration::from_millis(1), ..shape("1 connection, pauses of 1 ms", 1, 1, 0) };
pub(crate) const PLAIN: Shape = shape("32 connections", 32, 1, 0);
pub(crate) const MANY: Shape = shape("256 connections", 256, 1, 0);
pub(crate) const PIPELINED: Shape = shape("16 × 32 pipelined", 32, 16, 0);
pub(crate) const BESIDE_IDLE: Shape = shape("32 beside 10,000 idle", 32, 1, 10_000);

/// What one measurement has given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Requests for each second of the server's processor time.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Cores that others have used.
    pub(crate) others: f64,
}

/// How long is measured, how often, and where.
pub(crate) struct Bench {
    pub(crate) programs: Programs,
    pub(crate) cores: Cores,
    pub(crate) time: Duration,
    pub(crate) pairs: u32,
}

/// What came of the pairs of two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compared {
    /// The first's requests per processor second by the other's.
    pub(crate) ratio: Figures,
    /// The first's own figures.
    pub(crate) rate: Figures,
    pub(crate) p50_us: Figures,
    pub(crate) p99_us: Figures,
    /// Pairs that are kept although others have disturbed every attempt.
    pub(crate) disturbed: u32,
    /// Attempts that were thrown away.
    pub(crate) repeated: u32,
}

impl Bench {
    /// Measures two in adjacent pairs, whose order alternates.
    pub(crate) fn compare(&self, one: (Contender, Shape), other: (Contender, Shape)) -> Result<Compared, Failure> {
        self.compare_by(&|| self.sample(one.0, one.1), &|| self.sample(other.0, other.1))
    }

    /// The same with what takes a sample of each.
    pub(crate) fn compare_by(
        &self,
        one: &dyn Fn() -> Result<Sample, Failure>,
        other: &dyn Fn() -> Result<Sample, Failure>,
    ) -> Result<Compared, Failure> {
        let mut compared = Compared::default();
        for pair in 0..self.pairs {
            let mut best: Option<[Sample; 2]> = None;
            let others = |pair: &[Sample; 2]| pair[0].others.max(pair[1].others);
            for attempt in 0..ATTEMPTS {
                let measured = if (pair + attempt).is_multiple_of(2) {
                    let first = one()?;
                    [first, other()?]
                } else {
                    let second = other()?;
                    [one()?, second]
                };
                if best.as_ref().is_none_or(|best| others(&measured) < others(best)) {
                    best = Some(measured);
                }
                if best.as_ref().is_some_and(|best| others(best) <= OTHERS_MAX) {
                    break;
                }
                compared.repeated += u32::from(attempt + 1 < ATTEMPTS);
            }
            let Some(best) = best else { continue };
            compared.disturbed += u32::from(others(&best) > OTHERS_MAX);
            let [one, other] = best;
            compared.ratio.push(one.rate / other.rate);
            compared.rate.push(one.rate);
            compared.p50_us.push(one.p50.as_secs_f64() * 1e6);
            compared.p99_us.push(one.p99.as_secs_f64() * 1e6);
        }
        Ok(compared)
    }

    /// Measures one server once.
    pub(crate) fn sample(&self, contender: Contender, shape: Shape) -> Result<Sample, Failure> {
        let server = Server::start(contender, &self.programs, Some(self.cores.server), &[])?;
        run_on(self.cores.load)?;
        let failure = |error| format!("{}, {}: {error}", contender.name, shape.name);
        let connect = |connections, pipeline, sums: Sums| {
            let plan = Plan { address: server.address, connections, pipeline, timeout: Some(PATIENCE) };
            let mut load = Load::connect(&plan, Repeat::new(POST, sums))?;
            // One request each: from now on every connection has its session.
            load.run(Until::Each(1), |_| ())?;
            Ok(load)
        };
        let sums = contender.sums();
        let groups = (0..shape.idle).step_by(GROUP as usize).map(|made| connect(GROUP.min(shape.idle - made), 1, sums));
        let mut idle = groups.collect::<Result<Vec<_>, _>>().map_err(failure)?;
        let mut load = connect(shape.connections, shape.pipeline, sums).map_err(failure)?;
        load.pause(shape.pause);
        load.run(Until::Time(WARM_UP), |_| ()).map_err(failure)?;
        let sample = timed(&server, || load.run(Until::Time(self.time), |_| ()));
        let (report, sample) = sample?.map_err(failure)?;
        // They were there all the time.
        for group in &mut idle {
            group.run(Until::Each(1), |_| ()).map_err(failure)?;
        }
        if let Some(wrong) = report.first_wrong {
            return Err(format!(
                "{}, {}: {} answers are wrong, first {wrong:?}",
                contender.name, shape.name, report.wrong
            )
            .into());
        }
        Ok(sample)
    }

    /// Measures one against the limit.
    pub(crate) fn against_limit(&self, contender: Contender, shape: Shape) -> Result<Compared, Failure> {
        self.compare((contender, shape), (LIMIT, shape))
    }
}

/// Runs a load, and tells what the server took for it.
pub(crate) fn timed<E>(
    server: &Server,
    run: impl FnOnce() -> Result<Report, E>,
) -> Result<Result<(Report, Sample), E>, Failure> {
    let before = (busy_time()?, own_time()?, server.time()?);
    let report = match run() {
        Ok(report) => report,
        Err(error) => return Ok(Err(error)),
    };
    let after = (busy_time()?, own_time()?, server.time()?);
    let used = after.2 - before.2;
    let others = (after.0 - before.0) as f64 - (used + (after.1 - before.1)) as f64;
    let sample = Sample {
        rate: report.answers as f64 * 1e9 / used as f64,
        p50: report.percentile(50.0),
        p99: report.percentile(99.0),
        others: others / report.elapsed.as_nanos() as f64,
    };
    Ok(Ok((report, sample)))
}
