//! What was measured of a run or of a lane.

use super::{Merge, Metric, Throttle, Unit};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What was measured of a run or of a lane in an interval: a value a [`Metric`], for those that could be
/// measured. As JSON it is an object with the metrics' names.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    values: [Option<f64>; Metric::COUNT],
    /// What held the clocks of GPUs down.
    pub throttle: Throttle,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            values: [None; Metric::COUNT],
            throttle: Throttle::default(),
        }
    }
}

impl Measured {
    /// The value of a metric.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values[metric as usize]
    }

    /// Sets the value of a metric. What is no number counts as not measured.
    pub fn set(&mut self, metric: Metric, value: impl Into<Option<f64>>) {
        self.values[metric as usize] = value.into().filter(|value| value.is_finite());
    }

    /// Takes those metrics over that `is_taken` names, and with them what holds clocks down.
    pub(super) fn adopt(&mut self, other: &Self, is_taken: impl Fn(Metric) -> bool) {
        for metric in Metric::all().filter(|metric| is_taken(*metric)) {
            self.set(metric, other.get(metric));
        }
        self.throttle = other.throttle;
    }

    /// What was measured in an interval of so many seconds, and in the next one, as one.
    pub(super) fn merged(&self, seconds: f64, next: &Self, next_seconds: f64) -> Self {
        let both = seconds + next_seconds;
        let mut merged = Self::default();
        for metric in Metric::all() {
            let value = match (self.get(metric), next.get(metric)) {
                (Some(a), Some(b)) => Some(match metric.merge() {
                    Merge::Last => b,
                    Merge::Max => a.max(b),
                    Merge::Mean if both > 0.0 => (a * seconds + b * next_seconds) / both,
                    Merge::Mean => b,
                }),
                (a, b) => b.or(a),
            };
            merged.set(metric, value);
        }
        merged.throttle = self.throttle;
        merged.throttle.add(next.throttle);
        merged
    }

    /// Adds an entry a metric, of those that `is_wanted` names, to an object.
    pub(super) fn serialize_into<M: SerializeMap>(
        &self,
        map: &mut M,
        is_wanted: impl Fn(Metric) -> bool,
    ) -> Result<(), M::Error> {
        for metric in Metric::all().filter(|metric| is_wanted(*metric)) {
            let value = self.get(metric).map(|value| Value(metric, value));
            map.serialize_entry(metric.name(), &value)?;
        }
        map.serialize_entry(Throttle::NAME, &self.throttle.to_string())
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Metric::COUNT + 1))?;
        self.serialize_into(&mut map, |_| true)?;
        map.end()
    }
}

/// A value with as many digits as its metric has in files.
struct Value(Metric, f64);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.unit() {
            Unit::Count => serializer.serialize_u64(self.1.max(0.0).round() as u64),
            // The text of a finite number is always a number.
            _ => serializer.serialize_f64(self.0.text(self.1).parse().unwrap_or(self.1)),
        }
    }
}
