//! The picture: a bar for each server, plain and pipelined, readable on light and on dark ground.

use std::fmt::Write as _;

/// One server's bars, as shares of the limit.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) plain: f64,
    pub(crate) pipelined: f64,
    pub(crate) own: bool,
}

const LEFT: f64 = 130.0;
const WIDTH: f64 = 480.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 56.0;
const ROW: f64 = 34.0;
const BAR: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// Colours that stand out on both grounds; text and lines follow the ground.
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}.s{font-size:11px;fill:#59636e}.own{font-weight:700}\
line{stroke:#d1d9e0}.l{stroke:#59636e;stroke-dasharray:4 3}.a{fill:#2f81f7}.b{fill:#db8b2f}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9198a1}line{stroke:#3d444d}.l{stroke:#9198a1}}";

/// Draws the rows, the first on top.
pub(crate) fn draw(rows: &[Row], caption: &str) -> String {
    let most = rows.iter().flat_map(|row| [row.plain, row.pipelined]).fold(1.0, f64::max);
    // Shares a little above the limit are noise, but they are shown.
    let scale = WIDTH / most.max(1.05);
    let bottom = TOP + ROW * rows.len() as f64;
    let (width, height) = (LEFT + WIDTH + RIGHT, bottom + BOTTOM);
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\"><title>Requests per processor second, relative to the limit</title>\
         <style>{STYLE}</style>\n<text x=\"8\" y=\"20\">Requests per processor second; 1 = epoll that does not parse</text>\n\
         <rect class=\"a\" x=\"8\" y=\"32\" width=\"10\" height=\"10\"/><text class=\"s\" x=\"22\" y=\"41\">32 connections</text>\
         <rect class=\"b\" x=\"118\" y=\"32\" width=\"10\" height=\"10\"/>\
         <text class=\"s\" x=\"132\" y=\"41\">32 connections, 16 requests pipelined</text>\n"
    );
    for quarter in 0..=4 {
        let share = f64::from(quarter) / 4.0;
        let x = LEFT + share * scale;
        let class = if quarter == 4 { " class=\"l\"" } else { "" };
        let _ = writeln!(
            svg,
            "<line{class} x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
             <text class=\"s\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{share}</text>",
            bottom + 15.0
        );
    }
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        let own = if row.own { " class=\"own\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text{own} x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 21.0,
            escaped(&row.name)
        );
        for (class, share, y) in [("a", row.plain, y + 4.0), ("b", row.pipelined, y + 5.0 + BAR)] {
            if share.is_nan() {
                continue;
            }
            let length = share * scale;
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\"/>\
                 <text class=\"s\" x=\"{:.1}\" y=\"{}\">{share:.2}</text>",
                LEFT + length + 4.0,
                y + 10.0
            );
        }
    }
    let _ = writeln!(svg, "<text class=\"s\" x=\"8\" y=\"{}\">{}</text>\n</svg>", height - 5.0, escaped(caption));
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_bars() {
        let row = |name: &str, plain, pipelined| Row { name: name.to_owned(), plain, pipelined, own: false };
        let svg = draw(&[row("a<b", 1.0, 0.5), row("c", 0.25, f64::NAN)], "now & then");
        assert!(
            svg.contains("a&lt;b") && svg.contains("now &amp; then") && svg.contains("0.50") && svg.contains("0.25")
        );
        assert!(!svg.contains("NaN"));
        // The key's two, and three bars.
        assert_eq!(svg.matches("<rect").count(), 5, "{svg}");
    }
}
