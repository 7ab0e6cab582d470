//! A sweep as a page: one file, no script, nothing from elsewhere.

use super::{
    Row, Sweep,
    compare::{Labels, speed},
    statistics::{Measured, mean},
    table::columns,
};
use crate::report::{
    html,
    svg::{Ink, Strip},
    table::cut,
};
use serde::Serialize;
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

/// All that the template shows.
#[derive(Serialize)]
struct Page<'a> {
    name: &'a str,
    lead: String,
    charts_of_speed: Vec<BarChart>,
    params: Vec<String>,
    heads: Vec<&'static str>,
    points: Vec<TableRow>,
    failures: Vec<Failure>,
}

/// A chart with a line a bar.
#[derive(Serialize)]
struct BarChart {
    title: String,
    bars: Vec<Bar>,
}

/// A line of a chart.
#[derive(Serialize)]
struct Bar {
    label: String,
    strip: Strip,
    speed: String,
    is_best: bool,
}

/// A point in the table.
#[derive(Serialize)]
struct TableRow {
    params: Vec<String>,
    figures: Vec<String>,
    is_best: bool,
}

/// A point that failed.
#[derive(Serialize)]
struct Failure {
    label: String,
    error: String,
}

/// What a chart shows of one or more points.
struct Point {
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
    let points: Vec<Point> = shown
        .iter()
        .map(|row| Point {
            label: labels.of(row),
            speed: row.speed(),
            is_best: is_best(row),
        })
        .collect();
    let mut charts_of_speed = by_param(sweep, &labels);
    if let Some(chart) = BarChart::new("Tokens per second".to_owned(), &points) {
        charts_of_speed.insert(0, chart);
    }
    let columns = columns(sweep);
    let table_row = |row: &&Row| {
        let mut cells = row.cells();
        let values = labels
            .all
            .iter()
            .map(|name| cells.remove(name).unwrap_or_default());
        let figures = columns.iter().map(|column| (column.of)(sweep, row));
        TableRow {
            params: values.map(|value| cut(&value, MOST_VALUE)).collect(),
            figures: figures.map(Option::unwrap_or_default).collect(),
            is_best: is_best(row),
        }
    };
    let page = Page {
        name: sweep.name(),
        lead,
        charts_of_speed,
        params: (labels.all.iter())
            .map(|name| cut(name, MOST_VALUE))
            .collect(),
        heads: columns.iter().map(|column| column.head).collect(),
        points: shown.iter().map(table_row).collect(),
        failures: failures(&labels, &shown),
    };
    html::render(include_str!("sweep.html"), &page)
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
fn by_param(sweep: &Sweep, labels: &Labels<'_>) -> Vec<BarChart> {
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
        let means = order.into_iter().map(|value| Point {
            speed: mean(&speeds[&value]).map(|mean| Measured { mean, sd: None }),
            label: value,
            is_best: false,
        });
        let title = format!("Mean over points, by {}", cut(param, MOST_VALUE));
        charts.extend(BarChart::new(title, &means.collect::<Vec<_>>()));
    }
    charts
}

fn failures(labels: &Labels<'_>, shown: &[&Row]) -> Vec<Failure> {
    let failures = shown.iter().filter_map(|row| {
        Some(Failure {
            label: cut(&labels.of(row), MOST_LABEL),
            error: cut(row.error.as_ref()?, MOST_ERROR),
        })
    });
    failures.collect()
}

impl BarChart {
    /// The chart, unless no point has a speed.
    fn new(title: String, points: &[Point]) -> Option<Self> {
        let speeds = points.iter().filter_map(|point| point.speed);
        let longest = speeds
            .map(|speed| speed.mean + speed.sd.unwrap_or(0.0))
            .fold(0.0, f64::max);
        let bars = points.iter().map(|point| Bar::new(point, longest));
        (longest > 0.0).then(|| Self {
            title,
            bars: bars.collect(),
        })
    }
}

impl Bar {
    /// The bar of a point, and a line for its deviation, as far as `longest` is all of it.
    fn new(point: &Point, longest: f64) -> Self {
        let ink = if point.is_best {
            Ink::Best
        } else {
            Ink::Working
        };
        let strip = match point.speed {
            Some(Measured { mean, sd }) => {
                let strip = Strip::new([(ink, 0.0, mean / longest)]);
                match sd {
                    Some(sd) => {
                        let (from, to) = ((mean - sd) / longest, (mean + sd) / longest);
                        strip.with_line(Ink::Mark, from, to)
                    }
                    None => strip,
                }
            }
            None => Strip::new([]),
        };
        Self {
            label: cut(&point.label, MOST_LABEL),
            strip,
            speed: point.speed.map_or_else(|| "failed".to_owned(), speed),
            is_best: point.is_best,
        }
    }
}

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
