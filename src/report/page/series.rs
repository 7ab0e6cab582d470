//! Samples of a run as what charts over time show of them.

use crate::{
    meter::{Metric, Sample},
    report::svg::{Curve, Ink},
};

/// The samples as fewer, longer ones.
pub(super) fn thinned(timeline: &[Sample], most: usize) -> Vec<Sample> {
    let n_merged = timeline.len().div_ceil(most.max(1)).max(1);
    timeline
        .chunks(n_merged)
        .filter_map(|samples| {
            let mut samples = samples.iter().cloned();
            let first = samples.next()?;
            Some(samples.fold(first, |merged, next| merged.merged(&next)))
        })
        .collect()
}

/// What a curve shows of samples.
pub(super) fn curve(ink: Ink, samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Curve {
    let mut points = Vec::with_capacity(samples.len() + 1);
    let mut was_measured = false;
    for sample in samples {
        let Some(seconds) = sample.get(Metric::Seconds) else {
            continue;
        };
        let value = value(sample);
        // A value is that of its whole interval, so a line begins where its first one does.
        if value.is_some() && !was_measured {
            points.push(((seconds - sample.interval()).max(0.0), value));
        }
        was_measured = value.is_some();
        points.push((seconds, value));
    }
    Curve { ink, points }
}

/// When the last sample ended.
pub(super) fn end(samples: &[Sample]) -> f64 {
    let seconds = samples
        .iter()
        .filter_map(|sample| sample.get(Metric::Seconds));
    seconds.fold(1e-3, f64::max)
}

/// How long the samples took, for those who cannot see the axis.
pub(super) fn extent(samples: &[Sample]) -> String {
    format!("over {:.1} seconds", end(samples))
}
