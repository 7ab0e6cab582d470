//! What was measured while a run went on, as charts.

use super::{
    lanes::Shown,
    series::{curve, end, extent, thinned},
    stages,
    words::percent_round,
};
use crate::{
    job::Thresholds,
    meter::{Measured, Metric, Sample},
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

/// A chart over time with a line a lane.
struct LaneSubject {
    title: &'static str,
    scale: Scale,
    metric: Metric,
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

const OTHERS: [Subject; 3] = [
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
];

/// What is shown of an only GPU.
const GPU: [Subject; 2] = [
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

/// What is shown of each of several lanes.
const LANES: [LaneSubject; 4] = [
    LaneSubject {
        title: "Tokens per second, by device",
        scale: Scale::Mean,
        metric: Metric::TokensPerSec,
    },
    LaneSubject {
        title: "Encoder busy, by device",
        scale: Scale::Share,
        metric: Metric::EncoderIdle,
    },
    LaneSubject {
        title: "GPU power in W, by device",
        scale: Scale::Mean,
        metric: Metric::GpuPowerWatts,
    },
    LaneSubject {
        title: "GPU clock in MHz, by device",
        scale: Scale::Mean,
        metric: Metric::GpuSmClockMhz,
    },
];

/// The charts over time, none if there are too few samples. Lines have no more than about
/// `most_points` points.
pub(super) fn figures(
    timeline: &[Sample],
    thresholds: &Thresholds,
    lanes: &Shown,
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
    let mut figures: Vec<_> = first.into_iter().flatten().collect();
    figures.extend(
        OTHERS
            .iter()
            .filter_map(|subject| subject.figure(&samples, &[])),
    );
    if lanes.are_several() {
        // All lines of a chart together have the points of a few others.
        let samples = thinned(timeline, most_points / 3);
        figures.extend(
            LANES
                .iter()
                .filter_map(|subject| subject.figure(&samples, lanes)),
        );
    } else {
        figures.extend(
            GPU.iter()
                .filter_map(|subject| subject.figure(&samples, &[])),
        );
    }
    figures
}

/// A metric's value as charts show it.
fn shown(metric: Metric, measured: &Measured) -> Option<f64> {
    let value = measured.get(metric)?;
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
        let lines = self.lines.iter().map(|&(ink, name, metric)| Series {
            ink,
            name: name.to_owned(),
            value: Box::new(move |sample| shown(metric, sample.run())),
        });
        drawn(self.title, &self.scale, lines.collect(), samples, limits)
    }
}

impl LaneSubject {
    /// The chart, with a line for each of these lanes.
    fn figure(&self, samples: &[Sample], lanes: &Shown) -> Option<Figure> {
        let metric = self.metric;
        let lines = lanes.lanes().map(|(ink, lane, name)| Series {
            ink,
            name: name.to_owned(),
            value: Box::new(move |sample| shown(metric, sample.lanes().get(lane)?)),
        });
        let mut figure = drawn(self.title, &self.scale, lines.collect(), samples, &[])?;
        figure.keys.extend(lanes.note().map(Key::plain));
        Some(figure)
    }
}

/// What a line shows of a sample.
type Value<'a> = Box<dyn Fn(&Sample) -> Option<f64> + 'a>;

/// A line of a chart, and what it shows of a sample.
struct Series<'a> {
    ink: Ink,
    name: String,
    value: Value<'a>,
}

/// A chart of these lines, if anything of them was measured.
fn drawn(
    title: &'static str,
    scale: &Scale,
    lines: Vec<Series>,
    samples: &[Sample],
    limits: &[(Ink, &str, f64)],
) -> Option<Figure> {
    let mut measured = Vec::new();
    let mut keys = Vec::new();
    let mut most = 0.0_f64;
    for Series { ink, name, value } in lines {
        let curve = curve(ink, samples, &value);
        if !curve.is_measured() {
            continue;
        }
        let (mut sum, mut seconds, mut highest) = (0.0, 0.0, 0.0_f64);
        for sample in samples {
            if let Some(value) = value(sample) {
                sum += value * sample.interval();
                seconds += sample.interval();
                highest = highest.max(value);
            }
        }
        most = most.max(highest);
        let mean = if seconds > 0.0 { sum / seconds } else { 0.0 };
        let text = match scale {
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
    let label = format!("{title} {}: {}", extent(samples), said.join("; "));
    for (ink, name, share) in limits {
        let text = format!("{name} below {}", percent_round(*share));
        keys.push(Key::new(*ink, text));
    }
    let heights: Vec<(Ink, f64)> = limits
        .iter()
        .map(|(ink, _, share)| (*ink, *share))
        .collect();
    let y = match scale {
        Scale::Share => Axis::shares(),
        Scale::Mean | Scale::Most => Axis::amounts(most),
    };
    Some(Figure {
        title,
        label,
        keys,
        chart: Chart::curves(Axis::time(end(samples)), y, &measured, &heights),
    })
}
