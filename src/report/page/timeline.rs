//! What was measured while a run went on, as charts.

use super::{
    series::{curve, end, extent, thinned},
    stages,
    words::percent_round,
};
use crate::{
    job::Thresholds,
    meter::{Metric, Sample},
    report::{
        svg::{Axis, Chart, Figure, Ink, Key},
        table::rate,
    },
};

/// A chart over time.
struct Subject {
    title: &'static str,
    scale: Scale,
    lines: &'static [Line],
}

/// A line of a chart: its colour, its name, and what it shows.
type Line = (Ink, &'static str, Metric);

/// What the values of a chart are, and what the legend says of them.
enum Scale {
    /// From 0 to 1; the mean.
    Share,
    /// Anything from 0 on; the mean.
    Mean,
    /// Anything from 0 on; the largest value.
    Most,
}

use Ink::{First, Second, Third};

const UTILISATION: Subject = Subject {
    title: "Utilisation",
    scale: Scale::Share,
    lines: &[
        (First, "encoder busy", Metric::EncoderIdle),
        (Second, "GPU by NVML", Metric::GpuUtilization),
    ],
};

const SPEED: Subject = Subject {
    title: "Tokens per second",
    scale: Scale::Mean,
    lines: &[(First, "embedded", Metric::TokensPerSec)],
};

const OTHERS: [Subject; 5] = [
    Subject {
        title: "Batches that wait",
        scale: Scale::Mean,
        lines: &[
            (First, "packed", Metric::BatchesQueued),
            (Second, "in flight", Metric::BatchesInFlight),
            (Third, "rows to write", Metric::RowsQueued),
        ],
    },
    Subject {
        title: "Memory in GB",
        scale: Scale::Most,
        lines: &[
            (First, "program", Metric::MemoryBytes),
            (Second, "readers", Metric::ReadersMemoryBytes),
            (Third, "GPU", Metric::GpuMemoryBytes),
        ],
    },
    Subject {
        title: "CPU cores in use",
        scale: Scale::Mean,
        lines: &[
            (First, "program", Metric::CpuCores),
            (Second, "readers", Metric::ReadersCpuCores),
        ],
    },
    Subject {
        title: "GPU power in W",
        scale: Scale::Mean,
        lines: &[(First, "power", Metric::GpuPowerWatts)],
    },
    Subject {
        title: "GPU clock in MHz",
        scale: Scale::Mean,
        lines: &[(First, "multiprocessors", Metric::GpuSmClockMhz)],
    },
];

/// The charts over time, none if there are too few samples. Lines have no more than about
/// `most_points` points.
pub(super) fn figures(
    timeline: &[Sample],
    thresholds: &Thresholds,
    most_points: usize,
) -> Vec<Figure> {
    if timeline.len() < 2 {
        return Vec::new();
    }
    let samples = thinned(timeline, most_points);
    let limits = [
        (Ink::Mild, "mild", thresholds.gpu_util_mild),
        (Ink::Critical, "critical", thresholds.gpu_util_critical),
    ];
    let first = [
        UTILISATION.figure(&samples, &limits),
        SPEED.figure(&samples, &[]),
        stages::figure(&thinned(timeline, most_points / 2)),
    ];
    let others = OTHERS.iter().map(|subject| subject.figure(&samples, &[]));
    first.into_iter().chain(others).flatten().collect()
}

/// A metric's value as charts show it.
fn shown(metric: Metric, sample: &Sample) -> Option<f64> {
    let value = sample.get(metric)?;
    Some(match metric {
        // Charts show the time that is used.
        Metric::EncoderIdle => 1.0 - value,
        Metric::MemoryBytes | Metric::ReadersMemoryBytes | Metric::GpuMemoryBytes => value / 1e9,
        _ => value,
    })
}

impl Subject {
    /// The chart, if anything of it was measured.
    fn figure(&self, samples: &[Sample], limits: &[(Ink, &str, f64)]) -> Option<Figure> {
        let mut measured = Vec::new();
        let mut keys = Vec::new();
        let mut most = 0.0_f64;
        for &(ink, name, metric) in self.lines {
            let curve = curve(ink, samples, |sample| shown(metric, sample));
            if !curve.is_measured() {
                continue;
            }
            let (mut sum, mut seconds, mut highest) = (0.0, 0.0, 0.0_f64);
            for sample in samples {
                if let Some(value) = shown(metric, sample) {
                    sum += value * sample.interval();
                    seconds += sample.interval();
                    highest = highest.max(value);
                }
            }
            most = most.max(highest);
            let mean = if seconds > 0.0 { sum / seconds } else { 0.0 };
            let text = match self.scale {
                Scale::Share => format!("{name}, mean {}", percent_round(mean)),
                Scale::Mean => format!("{name}, mean {}", rate(mean)),
                Scale::Most => format!("{name}, at most {highest:.2}"),
            };
            keys.push(Key::new(ink, text));
            measured.push(curve);
        }
        if measured.is_empty() {
            return None;
        }
        let said: Vec<&str> = keys.iter().map(|key| key.text.as_str()).collect();
        let label = format!("{} {}: {}", self.title, extent(samples), said.join("; "));
        for (ink, name, share) in limits {
            let text = format!("{name} below {}", percent_round(*share));
            keys.push(Key::new(*ink, text));
        }
        let heights: Vec<(Ink, f64)> = limits
            .iter()
            .map(|(ink, _, share)| (*ink, *share))
            .collect();
        let y = match self.scale {
            Scale::Share => Axis::shares(),
            Scale::Mean | Scale::Most => Axis::amounts(most),
        };
        Some(Figure {
            title: self.title,
            label,
            keys,
            chart: Chart::curves(Axis::time(end(samples)), y, &measured, &heights),
        })
    }
}
