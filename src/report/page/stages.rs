//! What the stages of a run did: over time, and all in all.

use super::{
    series::{curve, end, extent},
    words::in_seconds,
};
use crate::{
    meter::{Metric, Sample, Stage, StageTime},
    report::svg::{Axis, Band, Chart, Curve, Figure, Ink, Key, Strip},
};
use serde::Serialize;

/// Where the time of a stage went.
#[derive(Serialize)]
pub(super) struct StageRow {
    name: &'static str,
    /// Seconds by what it did.
    seconds: [String; 3],
    /// The same as parts of a bar.
    strip: Strip,
}

/// What each stage does, a band a stage, if any was measured.
pub(super) fn figure(samples: &[Sample]) -> Option<Figure> {
    let rows: Vec<Band> = Stage::ALL
        .iter()
        .map(|&stage| {
            let [working, starved, blocked] = Metric::shares_of(stage);
            let share = |metrics: &[Metric], sample: &Sample| -> Option<f64> {
                metrics.iter().map(|metric| sample.get(*metric)).sum()
            };
            let areas = [
                (Ink::Starved, vec![working, blocked, starved]),
                (Ink::Blocked, vec![working, blocked]),
                (Ink::Working, vec![working]),
            ];
            Band {
                name: title(stage),
                areas: areas
                    .into_iter()
                    .map(|(ink, metrics)| curve(ink, samples, |sample| share(&metrics, sample)))
                    .collect(),
            }
        })
        .collect();
    if !rows
        .iter()
        .flat_map(|row| &row.areas)
        .any(Curve::is_measured)
    {
        return None;
    }
    let keys = [
        (Ink::Working, "working"),
        (Ink::Starved, "waiting for input"),
        (Ink::Blocked, "waiting for room"),
    ];
    Some(Figure {
        title: "What the stages do",
        label: format!("Shares of time of each stage, {}", extent(samples)),
        keys: keys
            .map(|(ink, text)| Key::new(ink, text.to_owned()))
            .into(),
        chart: Chart::bands(Axis::time(end(samples)), &rows),
    })
}

/// A stage's name at the beginning of a line.
fn title(stage: Stage) -> &'static str {
    match stage {
        Stage::Reading => "Reading",
        Stage::Packing => "Packing",
        Stage::Encoding => "Encoding",
        Stage::Collecting => "Collecting",
        Stage::Writing => "Writing",
    }
}

impl StageRow {
    pub(super) fn new(stage: Stage, time: StageTime) -> Self {
        let all = time.total();
        let share = |seconds: f64| if all > 0.0 { seconds / all } else { 0.0 };
        let [working, starved] = [time.working, time.starved].map(share);
        Self {
            name: title(stage),
            seconds: [time.working, time.starved, time.blocked].map(in_seconds),
            strip: Strip::new([
                (Ink::Working, 0.0, working),
                (Ink::Starved, working, working + starved),
                (Ink::Blocked, working + starved, share(all)),
            ]),
        }
    }
}
