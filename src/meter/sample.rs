//! What happened in an interval of a run.

use super::{Merge, Metric};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::fmt;

/// What happened in an interval of a run: a value a [`Metric`], for those that could be measured.
/// As JSON it is an object with the metrics' names.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    values: [Option<f64>; Metric::COUNT],
    /// What held the GPU's clocks down.
    pub throttle: Throttle,
    /// What is known of the GPU of each lane; nothing where no lane has one.
    gpus: Vec<GpuSample>,
    /// Seconds of the interval.
    interval: f64,
}

/// What is known of one GPU: those of the metrics that are of a GPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GpuSample {
    values: [Option<f64>; N_OF_GPU],
    /// What held its clocks down.
    pub throttle: Throttle,
}

/// Metrics of a GPU, which follow each other.
const N_OF_GPU: usize = Metric::GpuThrottled as usize - FIRST_OF_GPU + 1;
const FIRST_OF_GPU: usize = Metric::GpuUtilization as usize;

/// What holds the clocks of a GPU down, as a set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Throttle(u8);

impl Throttle {
    /// The limit of power.
    pub const POWER_CAP: Self = Self(1);
    /// Heat.
    pub const HEAT: Self = Self(2);
    /// The power supply.
    pub const POWER_BRAKE: Self = Self(4);
    /// Another emergency of the hardware.
    pub const HARDWARE: Self = Self(8);
    /// Another GPU, with which it keeps pace.
    pub const SYNC_BOOST: Self = Self(16);
    /// The name under which JSON and CSV have it, beside the metrics.
    pub const NAME: &'static str = "gpu_throttle_reasons";

    /// Adds the reasons of `other`.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether there is any reason.
    pub fn is_held_down(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::POWER_CAP, "power cap"),
            (Self::HEAT, "heat"),
            (Self::POWER_BRAKE, "power brake"),
            (Self::HARDWARE, "hardware"),
            (Self::SYNC_BOOST, "sync boost"),
        ];
        let mut separator = "";
        for (_, name) in names.iter().filter(|(reason, _)| self.0 & reason.0 != 0) {
            write!(f, "{separator}{name}")?;
            separator = " + ";
        }
        Ok(())
    }
}

impl Sample {
    /// A sample of an interval of so many seconds, still without values.
    pub fn new(interval: f64) -> Self {
        Self {
            values: [None; Metric::COUNT],
            throttle: Throttle::default(),
            gpus: Vec::new(),
            interval,
        }
    }

    /// The names in a line of a file of samples, in the order of its columns: the run's, then those of
    /// all that is measured.
    pub fn line_names() -> Vec<&'static str> {
        let metrics = Metric::all().map(Metric::name);
        std::iter::once("run")
            .chain(metrics)
            .chain([Throttle::NAME])
            .collect()
    }

    /// The value of a metric.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.values[metric as usize]
    }

    /// Sets the value of a metric. What is no number counts as not measured.
    pub fn set(&mut self, metric: Metric, value: impl Into<Option<f64>>) {
        self.values[metric as usize] = value.into().filter(|value| value.is_finite());
    }

    /// What is known of the GPU of each lane; nothing where no lane has one.
    pub fn gpus(&self) -> &[GpuSample] {
        &self.gpus
    }

    /// Sets what is known of the GPU of each lane. The sample's own figures become those of all of them
    /// together, as of several intervals: the mean of shares and rates, the largest memory and temperature.
    pub fn set_gpus(&mut self, gpus: Vec<GpuSample>) {
        for metric in Metric::of_gpu() {
            let values = gpus.iter().filter_map(|gpu| gpu.get(metric));
            let n_known = values.clone().count();
            let value = match metric.merge() {
                Merge::Max => values.reduce(f64::max),
                Merge::Mean | Merge::Last => {
                    (n_known > 0).then(|| values.sum::<f64>() / n_known as f64)
                }
            };
            self.set(metric, value);
        }
        self.throttle = Throttle::default();
        for gpu in &gpus {
            self.throttle.add(gpu.throttle);
        }
        self.gpus = gpus;
    }

    /// Seconds of the interval.
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// Takes over what `latest` says of the GPU and the processes, which is not measured as often.
    pub fn adopt_machine(&mut self, latest: &Self) {
        for metric in Metric::all().filter(|metric| metric.is_of_machine()) {
            self.set(metric, latest.get(metric));
        }
        self.throttle = latest.throttle;
        self.gpus.clone_from(&latest.gpus);
    }

    /// This interval and the next one as one.
    pub fn merged(&self, next: &Self) -> Self {
        let interval = self.interval + next.interval;
        let mut merged = Self::new(interval);
        let together =
            |metric: Metric, this: Option<f64>, next_one: Option<f64>| match (this, next_one) {
                (Some(a), Some(b)) => Some(match metric.merge() {
                    Merge::Last => b,
                    Merge::Max => a.max(b),
                    Merge::Mean if interval > 0.0 => {
                        (a * self.interval + b * next.interval) / interval
                    }
                    Merge::Mean => b,
                }),
                (a, b) => b.or(a),
            };
        for metric in Metric::all() {
            merged.set(metric, together(metric, self.get(metric), next.get(metric)));
        }
        merged.throttle = self.throttle;
        merged.throttle.add(next.throttle);
        merged.gpus = next.gpus.clone();
        for (gpu, earlier) in merged.gpus.iter_mut().zip(&self.gpus) {
            for metric in Metric::of_gpu() {
                gpu.set(
                    metric,
                    together(metric, earlier.get(metric), gpu.get(metric)),
                );
            }
            gpu.throttle.add(earlier.throttle);
        }
        if merged.gpus.is_empty() {
            merged.gpus.clone_from(&self.gpus);
        }
        merged
    }
}

impl GpuSample {
    /// The value of a metric; nothing for those that are of no GPU.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        let place = (metric as usize).checked_sub(FIRST_OF_GPU)?;
        *self.values.get(place)?
    }

    /// Sets the value of a metric, if it is one of a GPU. What is no number counts as not measured.
    pub fn set(&mut self, metric: Metric, value: Option<f64>) {
        let place = (metric as usize).checked_sub(FIRST_OF_GPU);
        if let Some(place) = place.and_then(|place| self.values.get_mut(place)) {
            *place = value.filter(|value| value.is_finite());
        }
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Metric::COUNT + 1))?;
        for metric in Metric::all() {
            map.serialize_entry(
                metric.name(),
                &self.get(metric).map(|value| Value(metric, value)),
            )?;
        }
        map.serialize_entry(Throttle::NAME, &self.throttle.to_string())?;
        map.end()
    }
}

/// A value with as many digits as its metric has in files.
struct Value(Metric, f64);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.unit() {
            super::Unit::Count => serializer.serialize_u64(self.1.max(0.0).round() as u64),
            // The text of a finite number is always a number.
            _ => serializer.serialize_f64(self.0.text(self.1).parse().unwrap_or(self.1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_counts_and_averages_rates_over_time() {
        let sample = |interval, tokens: f64, rate: f64, memory: Option<f64>| {
            let mut sample = Sample::new(interval);
            sample.set(Metric::Tokens, tokens);
            sample.set(Metric::TokensPerSec, rate);
            sample.set(Metric::MemoryBytes, memory);
            sample
        };
        let merged = sample(1.0, 10.0, 10.0, Some(9.0)).merged(&sample(3.0, 70.0, 20.0, Some(5.0)));
        assert_eq!(merged, sample(4.0, 70.0, 17.5, Some(9.0)));
        // What was measured in one of the two stays.
        let merged = merged.merged(&sample(4.0, 80.0, 2.5, None));
        assert_eq!(merged, sample(8.0, 80.0, 10.0, Some(9.0)));
    }

    #[test]
    fn gpus_are_kept_apart_and_seen_together() {
        let gpu = |utilization: f64, temperature: Option<f64>, throttle: Throttle| {
            let mut gpu = GpuSample::default();
            gpu.set(Metric::GpuUtilization, Some(utilization));
            gpu.set(Metric::GpuTemperatureCelsius, temperature);
            gpu.set(Metric::Tokens, Some(1.0));
            gpu.throttle.add(throttle);
            gpu
        };
        let of = |gpus: Vec<GpuSample>| {
            let mut sample = Sample::new(1.0);
            sample.set_gpus(gpus);
            sample
        };
        // One GPU is the GPU of the sample.
        let one = of(vec![gpu(0.75, Some(60.0), Throttle::HEAT)]);
        assert_eq!(one.get(Metric::GpuUtilization), Some(0.75));
        assert_eq!(one.throttle, Throttle::HEAT);
        let idle = gpu(0.25, None, Throttle::POWER_CAP);
        let busy = gpu(0.75, Some(60.0), Throttle::default());
        let two = of(vec![busy, idle.clone()]);
        assert_eq!(two.get(Metric::GpuUtilization), Some(0.5));
        assert_eq!(two.get(Metric::GpuTemperatureCelsius), Some(60.0));
        assert_eq!(two.get(Metric::Tokens), None, "no GPU counts them");
        assert_eq!(two.throttle, Throttle::POWER_CAP);
        let later = of(vec![gpu(0.25, Some(70.0), Throttle::HEAT), idle]);
        let merged = two.merged(&later);
        let shares = merged
            .gpus()
            .iter()
            .map(|gpu| gpu.get(Metric::GpuUtilization));
        assert_eq!(shares.collect::<Vec<_>>(), [Some(0.5), Some(0.25)]);
        assert_eq!(merged.gpus()[0].throttle, Throttle::HEAT);
        assert_eq!(
            merged.gpus()[0].get(Metric::GpuTemperatureCelsius),
            Some(70.0)
        );
    }

    #[test]
    fn json_has_every_metric_and_no_noise() {
        let mut sample = Sample::new(1.0);
        sample.set(Metric::Tokens, 12.0);
        sample.set(Metric::PackingFill, 2.0 / 3.0);
        sample.set(Metric::Mfu, f64::NAN);
        let json = serde_json::to_value(&sample).unwrap();
        assert_eq!(json["tokens"], 12);
        assert_eq!(json["packing_fill"], 0.6667);
        assert!(json["mfu"].is_null());
        assert_eq!(json.as_object().unwrap().len(), Metric::COUNT + 1);
    }
}
