//! A sweep as a page: one file, no script, nothing from elsewhere.

use super::{
    Row, Sweep,
    compare::{Labels, speed},
    statistics::{Measured, mean},
    table::columns,
};
use crate::report::table::cut;
use std::collections::BTreeMap;

/// More points than this are not all shown, so that the page stays below 200 KB.
const MOST_POINTS: usize = 120;
/// Longer labels, values and errors are cut.
const MOST_LABEL: usize = 100;
const MOST_VALUE: usize = 40;
const MOST_ERROR: usize = 240;
/// A parameter with more values than this gets no chart of its own.
const MOST_VALUES: usize = 12;
/// More charts than this get lost.
const MOST_CHARTS: usize = 6;

/// A line of a chart.
struct Bar {
    label: String,
    /// Nothing for a point that failed.
    speed: Option<Measured>,
    is_best: bool,
}

/// The page of a sweep.
pub(super) fn page(sweep: &Sweep) -> String {
    let labels = Labels::new(sweep);
    let shown = shown(sweep);
    let fastest = sweep.fastest();
    let is_best = |row: &Row| fastest.is_some_and(|fastest| std::ptr::eq(fastest, row));
    let name = escaped(sweep.name());

    let mut lead = format!("{}.", sweep.extent());
    if let Some(comparison) = sweep.comparison(&labels) {
        lead += &format!(" Best: {comparison}.");
    }
    if shown.len() < sweep.rows().len() {
        lead += &format!(
            " The page shows the {} fastest; a CSV file has room for all.",
            shown.len()
        );
    }
    let points: Vec<Bar> = shown
        .iter()
        .map(|row| Bar {
            label: labels.of(row),
            speed: row.speed(),
            is_best: is_best(row),
        })
        .collect();
    let mut body = chart("Tokens per second", &points);
    for (param, bars) in by_param(sweep, &labels) {
        body += &chart(&format!("Mean over points, by {param}"), &bars);
    }
    body += &table(sweep, &labels, &shown, is_best);
    body += &errors(&labels, &shown);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"runner\">\n<title>Sweep {name}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Sweep {name}</h1>\n\
         <p class=\"lead\">{lead}</p>\n{body}<footer>Lines across bars are one standard deviation \
         to either side. runner {version}</footer>\n</main>\n</body>\n</html>\n",
        lead = escaped(&lead),
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// The points that have room on the page, in their order: the fastest, then those that failed.
fn shown(sweep: &Sweep) -> Vec<&Row> {
    let mut rows: Vec<(usize, &Row)> = sweep.rows().iter().enumerate().collect();
    let rank = |row: &Row| row.speed().map_or(f64::NEG_INFINITY, |speed| speed.mean);
    rows.sort_by(|a, b| rank(b.1).total_cmp(&rank(a.1)));
    rows.truncate(MOST_POINTS);
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The mean speed for each value of each parameter that varies, which tells at a glance which of
/// them matter.
fn by_param(sweep: &Sweep, labels: &Labels<'_>) -> Vec<(String, Vec<Bar>)> {
    let mut charts = Vec::new();
    for param in &labels.varying {
        // In the order in which the sweep came to them.
        let mut order = Vec::new();
        let mut speeds: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in sweep.rows() {
            let Some(speed) = row.speed() else { continue };
            let value = row.cells().remove(param);
            let value = value.unwrap_or_else(|| "not given".to_owned());
            let of_value = speeds.entry(value.clone()).or_default();
            if of_value.is_empty() {
                order.push(value);
            }
            of_value.push(speed.mean);
        }
        // With a point a value, the chart of points shows the same.
        let is_mean = speeds.values().any(|speeds| speeds.len() > 1);
        if !is_mean || !(2..=MOST_VALUES).contains(&order.len()) || charts.len() == MOST_CHARTS {
            continue;
        }
        let bars = order
            .into_iter()
            .map(|value| Bar {
                speed: mean(&speeds[&value]).map(|mean| Measured { mean, sd: None }),
                label: value,
                is_best: false,
            })
            .collect();
        charts.push((cut(param, MOST_VALUE), bars));
    }
    charts
}

/// A chart with a line a bar. Each bar is a picture of its own that stretches, so that text keeps its
/// size on a phone.
fn chart(title: &str, bars: &[Bar]) -> String {
    let longest = bars
        .iter()
        .filter_map(|bar| bar.speed)
        .map(|speed| speed.mean + speed.sd.unwrap_or(0.0))
        .fold(0.0, f64::max);
    if longest <= 0.0 {
        return String::new();
    }
    let mut text = format!("<h2>{}</h2>\n<ul class=\"chart\">\n", escaped(title));
    for bar in bars {
        let class = if bar.is_best { " class=\"best\"" } else { "" };
        let label = escaped(&cut(&bar.label, MOST_LABEL));
        let (picture, value) = match bar.speed {
            Some(measured) => (picture(measured, longest), speed(measured)),
            None => (String::new(), "failed".to_owned()),
        };
        text += &format!(
            "<li{class}><span>{label}</span><svg viewBox=\"0 0 100 8\" \
             preserveAspectRatio=\"none\" aria-hidden=\"true\">{picture}</svg><b>{value}</b></li>\n"
        );
    }
    text + "</ul>\n"
}

/// The bar of a speed, as far as `longest` is all of it, and a line for its deviation.
fn picture(speed: Measured, longest: f64) -> String {
    let percent = |value: f64| 100.0 * value.max(0.0) / longest;
    let mut text = format!("<rect width=\"{:.2}\" height=\"8\"/>", percent(speed.mean));
    if let Some(sd) = speed.sd {
        text += &format!(
            "<path d=\"M{:.2} 4H{:.2}\"/>",
            percent(speed.mean - sd),
            percent(speed.mean + sd)
        );
    }
    text
}

fn table(
    sweep: &Sweep,
    labels: &Labels<'_>,
    shown: &[&Row],
    is_best: impl Fn(&Row) -> bool,
) -> String {
    let columns = columns(sweep);
    let mut text = "<h2>Points</h2>\n<div class=\"wide\"><table>\n<tr>".to_owned();
    for name in &labels.all {
        text += &format!("<th>{}</th>", escaped(&cut(name, MOST_VALUE)));
    }
    for column in &columns {
        text += &format!("<th class=\"n\">{}</th>", column.head);
    }
    text += "</tr>\n";
    for row in shown {
        text += if is_best(row) {
            "<tr class=\"best\">"
        } else {
            "<tr>"
        };
        let mut cells = row.cells();
        for name in &labels.all {
            let value = cells.remove(name).unwrap_or_default();
            text += &format!("<td>{}</td>", escaped(&cut(&value, MOST_VALUE)));
        }
        for column in &columns {
            let value = (column.of)(sweep, row).unwrap_or_default();
            text += &format!("<td class=\"n\">{}</td>", escaped(&value));
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}

fn errors(labels: &Labels<'_>, shown: &[&Row]) -> String {
    let mut text = String::new();
    for row in shown {
        if let Some(error) = &row.error {
            text += &format!(
                "<dt>{}</dt><dd>{}</dd>\n",
                escaped(&cut(&labels.of(row), MOST_LABEL)),
                escaped(&cut(error, MOST_ERROR))
            );
        }
    }
    if text.is_empty() {
        return text;
    }
    format!("<h2>Failed</h2>\n<dl>\n{text}</dl>\n")
}

/// A text as it stands between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const STYLE: &str = "\
:root{--paper:#fff;--ink:#1b1f24;--faint:#5c6670;--line:#dfe3e8;--bar:#9db7d6;--best:#1a7f4b;--mark:#1b1f24}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e8eaed;--faint:#9aa4ae;--line:#2d333a;--bar:#47627f;--best:#3fb37f;--mark:#f2f4f6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 16px 48px}
h1{font-size:1.6rem;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:2rem 0 .6rem}
.lead{margin:0;max-width:75ch;overflow-wrap:anywhere}
.chart{list-style:none;margin:0;padding:0}
.chart li{display:grid;grid-template-columns:minmax(10rem,18rem) 1fr 9.5rem;gap:0 12px;align-items:center;padding:3px 0}
.chart span{overflow-wrap:anywhere}
.chart svg{display:block;width:100%;height:18px}
.chart b{font-weight:400;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
rect{fill:var(--bar)}
.best rect{fill:var(--best)}
path{stroke:var(--mark);stroke-width:2px;vector-effect:non-scaling-stroke}
.best span,.best b,tr.best td{font-weight:600}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:5px 18px 5px 0;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}
th{color:var(--faint);font-weight:500}
.n{text-align:right}
dt{font-weight:600}
dd{margin:0 0 .6rem;overflow-wrap:anywhere}
footer{margin-top:2.5rem;color:var(--faint);font-size:.85rem}
@media(max-width:640px){.chart li{grid-template-columns:1fr auto;padding:6px 0}.chart svg{grid-area:2/1/3/3;height:14px}}
";

#[cfg(test)]
mod tests {
    use super::super::tests::{failed, measured, sweep};
    use super::*;

    #[test]
    fn a_page_stands_alone() {
        let page = page(&sweep());
        assert!(page.starts_with("<!doctype html>"), "{page}");
        for missing in ["<script", "http", "url(", "@import", "src="] {
            assert!(!page.contains(missing), "{missing}");
        }
        for part in [
            "prefers-color-scheme:dark",
            "name=\"viewport\"",
            "<li class=\"best\">",
            "Mean over points, by readers",
            "times faster than",
            "&lt;b&gt; &amp; c",
            "<h2>Failed</h2>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    }

    #[test]
    fn a_page_stays_small() {
        let mut large = Sweep::new("large");
        for n in 0..1_000 {
            let (n, long) = (n.to_string(), "x".repeat(1_000));
            let params = [
                ("a", n.as_str()),
                ("b", long.as_str()),
                ("c", long.as_str()),
            ];
            let row = match n.ends_with('9') {
                true => failed(&params, &"y".repeat(5_000)),
                false => measured(&params, &[1.0, 1.5]),
            };
            large.add(row).unwrap();
        }
        let page = page(&large);
        assert!(page.len() < 200_000, "{} bytes", page.len());
        assert!(page.contains("shows the 120 fastest"), "{page}");
    }

    #[test]
    fn a_sweep_without_speeds_has_a_page() {
        for rows in [vec![], vec![failed(&[("a", "1")], "no")]] {
            let mut sweep = Sweep::new("none");
            for row in rows {
                sweep.add(row).unwrap();
            }
            assert!(!page(&sweep).contains("<svg"));
        }
    }
}
