//! The chart: how many times better martlet is than the best of its rivals, as an SVG file.

use std::fmt::Write;

const ROW: f64 = 22.0;
const NAMES: f64 = 360.0;
const BARS: f64 = 470.0;
const WIDTH: f64 = NAMES + BARS + 90.0;
const TOP: f64 = 62.0;

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bar<'a> {
    /// What was measured.
    pub(crate) name: &'a str,
    /// How many times better.
    pub(crate) ratio: f64,
    /// How many times better it should be.
    pub(crate) target: Option<f64>,
    /// Whether all that is wanted is reached, which may be more than the ratio.
    pub(crate) is_met: bool,
}

/// Bars on a logarithmic axis; 1 is as good as the best rival.
pub(crate) fn svg(title: &str, bars: &[Bar<'_>]) -> String {
    let ratios = || bars.iter().map(|bar| bar.ratio).filter(|ratio| *ratio > 0.0);
    let targets = bars.iter().filter_map(|bar| bar.target);
    let most = ratios().chain(targets).fold(10.0, f64::max).log10().ceil();
    let least = ratios().fold(1.0, f64::min).log10().floor();
    let x = |ratio: f64| NAMES + (ratio.log10() - least) / (most - least) * BARS;
    let height = TOP + bars.len() as f64 * ROW + 12.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-weight=\"bold\" font-size=\"14\">{}</text>\n\
         <text x=\"10\" y=\"36\" fill=\"#555\">Logarithmic. The dark mark is the target; bars of \
         missed targets are orange, where a rival is ahead red.</text>\n",
        escape(title)
    );
    for power in least as i32..=most as i32 {
        let at = x(10f64.powi(power));
        let color = if power == 0 { "#444" } else { "#ddd" };
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"{color}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}x</text>",
            height - 10.0,
            TOP - 6.0,
            10f64.powi(power)
        );
    }
    for (n, bar) in bars.iter().enumerate().filter(|(_, bar)| bar.ratio > 0.0) {
        draw(&mut out, bar, TOP + n as f64 * ROW, x);
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, bar: &Bar<'_>, y: f64, x: impl Fn(f64) -> f64) {
    let (from, to) = (x(1.0).min(x(bar.ratio)), x(1.0).max(x(bar.ratio)));
    let color = match bar {
        Bar { is_met: true, .. } => "#2a7f4f",
        Bar { ratio: 1.0.., .. } => "#d98a2b",
        _ => "#b5443c",
    };
    let mut after = to;
    let mut mark = String::new();
    if let Some(target) = bar.target.filter(|target| *target > 1.0) {
        let at = x(target);
        mark = format!(
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#222\" \
             stroke-width=\"2\"/>",
            y + 2.0,
            y + ROW - 2.0
        );
        if at < to + 40.0 {
            after = after.max(at);
        }
    }
    let digits = if bar.ratio < 10.0 { 1 } else { 0 };
    let _ = writeln!(
        out,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\"/>{mark}\
         <text x=\"{:.1}\" y=\"{:.1}\">{:.digits$}x</text>",
        NAMES - 8.0,
        y + 15.0,
        escape(bar.name),
        y + 4.0,
        to - from,
        ROW - 8.0,
        after + 5.0,
        y + 15.0,
        bar.ratio
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, svg};

    #[test]
    fn every_bar_is_drawn() {
        let bar = |name, ratio, is_met| Bar { name, ratio, target: Some(3.0), is_met };
        let chart = svg("a < b", &[bar("fast", 20.0, true), bar("slow", 0.5, false)]);
        assert_eq!(chart.matches("<rect").count(), 3, "{chart}");
        assert!(chart.contains("a &lt; b") && chart.contains("20x"), "{chart}");
    }
}
