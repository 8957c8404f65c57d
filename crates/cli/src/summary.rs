//! What a load has come to: how fast that was, and a histogram of the latencies.

use std::{fmt, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tenure_load::Report;

/// Bars of the histogram, and the characters of the longest.
const BARS: u32 = 12;
const BAR_WIDTH: u64 = 40;

/// What many connections have done.
#[derive(Debug)]
pub(crate) struct Summary {
    /// What is said where nothing is wrong.
    pub(crate) right: String,
    /// What was counted.
    pub(crate) what: &'static str,
    pub(crate) pipeline: u32,
    pub(crate) report: Report,
}

/// `on 2 connections`.
pub(crate) fn on(connections: u32) -> String {
    format!("on {connections} connection{}", if connections == 1 { "" } else { "s" })
}

/// How far a load is, on standard error; hidden where that is no terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Before the first of so many answers, which are called `what`.
    pub(crate) fn of(answers: u64, what: &str) -> Self {
        let bar = ProgressBar::new(answers);
        let style = format!("{{bar:40}} {{percent:>3}} %, {{human_pos}} {what}, {{per_sec}}");
        bar.set_style(ProgressStyle::with_template(&style).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Progress(bar)
    }

    /// So many have come.
    pub(crate) fn told(&self, answers: u64) {
        self.0.set_position(answers);
    }

    pub(crate) fn end(self) {
        self.0.finish_and_clear();
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { right, what, pipeline, report } = self;
        if report.wrong == 0 {
            writeln!(f, "{right}")?;
        }
        writeln!(
            f,
            "{:.0} {what} per second: {} in {}, {pipeline} at once per connection",
            report.rate(),
            report.answers,
            Shown(report.elapsed)
        )?;
        write!(f, "latency:")?;
        for percent in [50.0, 90.0, 99.0, 99.9] {
            write!(f, " {percent} % within {},", Shown(report.percentile(percent)))?;
        }
        write!(f, " the longest {}", Shown(report.latency_max()))?;
        let bars = report.bars(BARS);
        let most = bars.iter().map(|bar| bar.answers).max().unwrap_or(0).max(1);
        for bar in bars {
            // A bar that counts anything is at least one character long.
            let width = (bar.answers * BAR_WIDTH).div_ceil(most) as usize;
            let to = Shown(bar.to).to_string();
            write!(f, "\n  to {to:>9}  {:<40}  {}", "█".repeat(width), bar.answers)?;
        }
        Ok(())
    }
}

/// A time with three digits and its unit.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0.as_secs_f64() * 1e6;
        let (number, unit) = match us {
            ..1e3 => (us, "µs"),
            ..1e6 => (us / 1e3, "ms"),
            _ => (us / 1e6, "s"),
        };
        let digits = if number < 9.995 { 2 } else { usize::from(number < 99.95) };
        write!(f, "{number:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted() {
        assert_eq!([on(1), on(2)], ["on 1 connection", "on 2 connections"]);
    }

    #[test]
    fn times_as_they_are_shown() {
        for (ns, shown) in [
            (0, "0.00 µs"),
            (9_994, "9.99 µs"),
            (10_040, "10.0 µs"),
            (999_400, "999 µs"),
            (1_500_000, "1.50 ms"),
            (12_300_000_000, "12.3 s"),
        ] {
            assert_eq!(Shown(Duration::from_nanos(ns)).to_string(), shown);
        }
    }
}
