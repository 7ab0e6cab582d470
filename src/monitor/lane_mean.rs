//! The mean of what was measured of a lane.

use crate::meter::{Measured, Metric, Sample};

/// The mean of a lane's metric over the time of samples, as far as it was measured.
pub(super) fn mean(samples: &[Sample], lane: usize, metric: Metric) -> Option<f64> {
    let measured = |sample: &Sample| {
        let value = sample
            .lanes()
            .get(lane)
            .and_then(|lane: &Measured| lane.get(metric))?;
        Some((value * sample.interval(), sample.interval()))
    };
    let (sum, seconds) = (samples.iter().filter_map(measured))
        .fold((0.0, 0.0), |(sum, all), (value, seconds)| {
            (sum + value, all + seconds)
        });
    (seconds > 0.0).then(|| sum / seconds)
}
