//! The chart: how many times better martlet is than the best of its rivals, as an SVG file.

use std::fmt::Write;

const ROW: f64 = 20.0;
const NAMES: f64 = 290.0;
const BARS: f64 = 480.0;
const TOP: f64 = 46.0;

/// Bars on a logarithmic axis; 1 is as good as the best rival.
pub(crate) fn svg(title: &str, bars: &[(&str, f64)]) -> String {
    let finite = || bars.iter().map(|bar| bar.1).filter(|ratio| ratio.is_finite() && *ratio > 0.0);
    let most = finite().fold(10.0, f64::max).log10().ceil();
    let least = finite().fold(1.0, f64::min).log10().floor();
    let x = |ratio: f64| NAMES + (ratio.log10() - least) / (most - least) * BARS;
    let height = TOP + bars.len() as f64 * ROW + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-weight=\"bold\">{}</text>\n",
        escape(title)
    );
    for power in least as i32..=most as i32 {
        let at = x(10f64.powi(power));
        let color = if power == 0 { "#444" } else { "#ccc" };
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{:.1}\" stroke=\"{color}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}x</text>",
            height - 10.0,
            TOP - 6.0,
            10f64.powi(power)
        );
    }
    for (n, &(name, ratio)) in bars.iter().enumerate() {
        let y = TOP + n as f64 * ROW;
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 8.0,
            y + 14.0,
            escape(name)
        );
        if !ratio.is_finite() || ratio <= 0.0 {
            continue;
        }
        let (from, to) = (x(1.0).min(x(ratio)), x(1.0).max(x(ratio)));
        let color = if ratio >= 1.0 { "#2a7f4f" } else { "#b5443c" };
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{ratio:.1}x</text>",
            y + 3.0,
            to - from,
            ROW - 6.0,
            to + 4.0,
            y + 14.0
        );
    }
    out + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn every_bar_is_drawn() {
        let chart = svg("a < b", &[("fast", 20.0), ("slow", 0.5), ("unknown", f64::NAN)]);
        assert_eq!(chart.matches("<rect").count(), 3, "{chart}");
        assert!(chart.contains("a &lt; b") && chart.contains("20.0x"), "{chart}");
    }
}
