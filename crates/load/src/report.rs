//! What came of a run.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart from longer ones, in nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// An answer that was not the number that it had to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The connection, counted from 0.
    pub connection: u32,
    /// The connection's request, counted from 0.
    pub index: u64,
    /// What was answered.
    pub answered: i64,
    /// What had to be.
    pub wanted: i64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Answers, the wrong ones included.
    pub answers: u64,
    /// How many of these were wrong numbers.
    pub wrong: u64,
    /// The first of these.
    pub first_wrong: Option<Wrong>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    latencies: Histogram<u64>,
}

/// Latencies of about the same length, and how many these were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The longest latency of this bar.
    pub to: Duration,
    /// How many answers it counts.
    pub answers: u64,
}

impl Report {
    pub(crate) fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_NS, DIGITS).expect("the bounds are in order");
        Report { answers: 0, wrong: 0, first_wrong: None, elapsed: Duration::ZERO, latencies }
    }

    pub(crate) fn record(&mut self, latency: Duration, answers: u64) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.saturating_record_n(ns, answers);
    }

    pub(crate) fn record_wrong(&mut self, wrong: Wrong) {
        self.wrong += 1;
        self.first_wrong.get_or_insert(wrong);
    }

    /// Answers in each second.
    pub fn rate(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate has three digits that matter")]
        let answers = self.answers as f64;
        if seconds > 0.0 { answers / seconds } else { 0.0 }
    }

    /// The latency that so many percent of the answers did not pass: from the sending of its batch to the receipt of an
    /// answer.
    pub fn percentile(&self, percent: f64) -> Duration {
        Duration::from_nanos(self.latencies.value_at_percentile(percent))
    }

    /// The longest latency.
    pub fn latency_max(&self) -> Duration {
        Duration::from_nanos(self.latencies.max())
    }

    /// The latencies in at most `count` bars, each as much longer than the one before as all the others, from the shortest
    /// to the longest latency that there was.
    pub fn bars(&self, count: u32) -> Vec<Bar> {
        let (min, max) = (self.latencies.min().max(1), self.latencies.max().max(1));
        #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "bars are about right, and positive")]
        let bound = |number: u32| {
            let share = f64::from(number) / f64::from(count);
            (min as f64 * (max as f64 / min as f64).powf(share)).ceil() as u64
        };
        let (mut bars, mut from) = (Vec::new(), 0);
        for number in 1..=count {
            let to = if number == count { max } else { bound(number) };
            if to < from {
                continue;
            }
            let answers = if number == count {
                self.latencies.len() - bars.iter().map(|bar: &Bar| bar.answers).sum::<u64>()
            } else {
                self.latencies
                    .iter_recorded()
                    .map(|step| (step.value_iterated_to(), step.count_at_value()))
                    .filter(|(value, _)| (from..=to).contains(value))
                    .map(|(_, count)| count)
                    .sum()
            };
            bars.push(Bar { to: Duration::from_nanos(to), answers });
            from = to + 1;
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies_us: &[u64]) -> Report {
        let mut report = Report::new();
        for &us in latencies_us {
            report.record(Duration::from_micros(us), 1);
            report.answers += 1;
        }
        report
    }

    #[test]
    fn every_answer_is_in_one_bar() {
        for latencies in [vec![], vec![7], vec![7, 7, 7], (1..=1_000).collect(), vec![1, 1_000_000, u64::MAX / 1_000]] {
            let report = of(&latencies);
            for count in [1, 2, 12] {
                let bars = report.bars(count);
                let sum: u64 = bars.iter().map(|bar| bar.answers).sum();
                assert_eq!(sum, report.answers, "{latencies:?} in {count}: {bars:?}");
                assert!(bars.len() <= count as usize && bars.is_sorted_by(|one, other| one.to < other.to), "{bars:?}");
            }
        }
    }

    #[test]
    fn bars_lie_where_the_latencies_do() {
        let bars = of(&[1, 1, 1, 1_000]).bars(3);
        assert_eq!(bars.iter().map(|bar| bar.answers).collect::<Vec<_>>(), [3, 0, 1], "{bars:?}");
    }

    #[test]
    fn rates_and_percentiles() {
        let mut report = of(&(1..=100).collect::<Vec<_>>());
        assert!(report.rate() < f64::EPSILON);
        report.elapsed = Duration::from_millis(500);
        assert!((report.rate() - 200.0).abs() < 1e-9);
        for (percent, us) in [(50.0, 50), (99.0, 99), (100.0, 100)] {
            let off = report.percentile(percent).abs_diff(Duration::from_micros(us));
            assert!(off < Duration::from_nanos(100), "{percent}: {off:?}");
        }
        assert!(report.latency_max() >= Duration::from_micros(100));
    }
}
