//! The table, in Markdown.

use std::fmt::Write as _;

use crate::{
    contender::{Contender, TENURE},
    figures::{Figures, thousands},
    instructions::Case,
    measure::{Compared, Shape},
    picture::Row,
};

/// All that was measured of one server.
pub(crate) struct Measured {
    pub(crate) contender: Contender,
    pub(crate) rates: Vec<(Shape, Compared)>,
    /// Bytes of an idle connection, after a request in one segment and in two.
    pub(crate) memory: [Option<f64>; 2],
    pub(crate) instructions: Vec<(Case, Option<f64>)>,
}

/// Two that are compared with each other.
pub(crate) struct Direct {
    pub(crate) what: String,
    pub(crate) ratio: Figures,
}

impl Measured {
    fn of(&self, shape: Shape) -> Option<&Compared> {
        self.rates.iter().find(|(of, _)| *of == shape).map(|(_, compared)| compared)
    }

    /// Its bars, if it has both.
    pub(crate) fn row(&self, plain: Shape, pipelined: Shape) -> Option<Row> {
        let ratio = |shape| self.of(shape).map(|compared| compared.ratio.median());
        let own = matches!(self.contender.kind, crate::contender::Kind::Tenure(_));
        Some(Row { name: self.contender.name.to_owned(), plain: ratio(plain)?, pipelined: ratio(pipelined)?, own })
    }

    fn name(&self) -> String {
        if self.contender == TENURE { format!("**{}**", self.contender.name) } else { self.contender.name.to_owned() }
    }
}

/// A table whose first column is text and whose others are numbers.
pub(crate) fn table(text: &mut String, head: &[String], rows: &[Vec<String>]) {
    let line = |text: &mut String, cells: &[String]| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(text, head);
    let _ = writeln!(text, "|---|{}", "--:|".repeat(head.len() - 1));
    for row in rows {
        line(text, row);
    }
    text.push('\n');
}

/// Requests per processor second, relative to the limit.
pub(crate) fn ratios(text: &mut String, all: &[Measured], shapes: &[Shape]) {
    by_shape(text, "requests per processor second, relative to the limit", all, &busy(shapes), |compared| {
        compared.ratio.to_string()
    });
}

/// Requests per processor second.
pub(crate) fn rates(text: &mut String, all: &[Measured], shapes: &[Shape]) {
    by_shape(text, "requests per processor second", all, &busy(shapes), |compared| thousands(compared.rate.median()));
}

/// Those whose rate says something: with pauses it is that of falling asleep and waking up.
fn busy(shapes: &[Shape]) -> Vec<Shape> {
    shapes.iter().copied().filter(|shape| shape.pause.is_zero()).collect()
}

/// Latencies.
pub(crate) fn latencies(text: &mut String, all: &[Measured], shapes: &[Shape]) {
    by_shape(text, "p50 / p99 in µs", all, shapes, |compared| {
        format!("{} / {}", thousands(compared.p50_us.median()), thousands(compared.p99_us.median()))
    });
}

/// A row for each server and a column for each shape.
fn by_shape(text: &mut String, what: &str, all: &[Measured], shapes: &[Shape], cell: impl Fn(&Compared) -> String) {
    let mut head = vec![what.to_owned()];
    head.extend(shapes.iter().map(|shape| shape.name.to_owned()));
    let rows = all.iter().filter(|measured| !measured.rates.is_empty()).map(|measured| {
        let cells = shapes.iter().map(|&shape| measured.of(shape).map_or("–".to_owned(), &cell));
        std::iter::once(measured.name()).chain(cells).collect()
    });
    table(text, &head, &rows.collect::<Vec<_>>());
}

/// Memory and instructions.
pub(crate) fn costs(text: &mut String, all: &[Measured], cases: &[Case]) {
    let mut head = vec!["server".to_owned(), "bytes per idle connection".to_owned(), "after a split POST".to_owned()];
    head.extend(cases.iter().map(|case| format!("instructions, {}", case.name())));
    let number = |figure: Option<f64>| figure.map_or("–".to_owned(), thousands);
    let rows = all.iter().filter(|measured| measured.memory[0].is_some() || !measured.instructions.is_empty());
    let rows = rows.map(|measured| {
        let of = |case| measured.instructions.iter().find(|(of, _)| *of == case).and_then(|(_, count)| *count);
        let costs = measured.memory.iter().copied().chain(cases.iter().map(|&case| of(case)));
        std::iter::once(measured.name()).chain(costs.map(number)).collect()
    });
    table(text, &head, &rows.collect::<Vec<_>>());
}

/// Servers against each other.
pub(crate) fn directs(text: &mut String, directs: &[Direct]) {
    let head = ["requests per processor second, in adjacent pairs", "ratio"].map(str::to_owned);
    let rows = directs.iter().map(|direct| vec![direct.what.clone(), direct.ratio.to_string()]);
    table(text, &head, &rows.collect::<Vec<_>>());
}
