//! The plot: a bar for each program in each row, CPU time a request as a share of Envoy's.

use std::fmt::Write as _;

use super::super::statistics::summary;
use super::Figures;

/// Names and colours, in the order of a round; they hold on a light and on a dark page.
const PROGRAMS: [(&str, &str); 4] =
    [("mimir-mirror", "#2f9e6e"), ("Envoy", "#8a8f98"), ("nginx", "#c58a2c"), ("floor", "#5b7fb8")];
const WIDTH: f64 = 860.0;
/// Where bars begin; titles stand left of it.
const LEFT: f64 = 400.0;
/// Length of a bar that costs what Envoy does.
const UNIT: f64 = 280.0;
const BAR: f64 = 11.0;
const GAP: f64 = 12.0;
const TOP: f64 = 44.0;

/// An SVG image.
pub(in crate::bench) fn plot(figures: &Figures) -> String {
    let mut y = TOP;
    let mut body = String::new();
    for (case, rounds) in &figures.rows {
        let count = rounds.first().map_or(0, Vec::len).min(PROGRAMS.len());
        let middle = y + count as f64 * BAR / 2.0 + 4.0;
        let _ =
            writeln!(body, "<text x=\"{}\" y=\"{middle:.0}\" text-anchor=\"end\">{case}</text>", LEFT - 8.0);
        for (index, (_, colour)) in PROGRAMS.iter().enumerate().take(count) {
            let share =
                rounds.iter().filter_map(|round| Some(round.get(index)?.cpu_us / round.get(1)?.cpu_us));
            let share = summary(share).median;
            let cost = summary(rounds.iter().filter_map(|round| Some(round.get(index)?.cpu_us))).median;
            let width = (share * UNIT).clamp(1.0, WIDTH - LEFT - 60.0);
            let _ = writeln!(
                body,
                "<rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{width:.0}\" height=\"{:.0}\" fill=\"{colour}\"/>\
                 <text x=\"{:.0}\" y=\"{:.0}\" class=\"n\">{cost:.0} µs</text>",
                BAR - 1.0,
                LEFT + width + 5.0,
                y + BAR - 2.0
            );
            y += BAR;
        }
        y += GAP;
    }
    let mut legend = String::new();
    for (index, (name, colour)) in PROGRAMS.iter().enumerate() {
        let x = LEFT + index as f64 * 110.0;
        let _ = write!(
            legend,
            "<rect x=\"{x}\" y=\"14\" width=\"11\" height=\"11\" fill=\"{colour}\"/><text x=\"{}\" y=\"24\">{name}</text>",
            x + 16.0
        );
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" \
         aria-label=\"CPU time a request as a share of Envoy's\">\n\
         <style>text{{font:12px sans-serif;fill:#6b7280}}.n{{font-size:10px}}</style>\n{legend}\n{body}</svg>\n"
    )
}
