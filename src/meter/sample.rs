//! What happened in an interval of a run.

use super::{Measured, Metric, Scope, Throttle, Together};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What happened in an interval of a run, in all of it and in each of its lanes. As JSON it is an object with
/// the metrics' names, and the lanes in an array of such objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    run: Measured,
    lanes: Vec<Measured>,
    /// Seconds of the interval.
    interval: f64,
}

impl Sample {
    /// The name under which JSON and scripts have the lanes.
    pub const LANES: &'static str = "lanes";
    /// The name of a lane's number beside what was measured of it.
    pub const LANE: &'static str = "gpu";

    /// A sample of an interval of so many seconds, still without values.
    pub fn new(interval: f64) -> Self {
        Self {
            run: Measured::default(),
            lanes: Vec::new(),
            interval,
        }
    }

    /// The names in a line of a file of samples, in the order of its columns: the run's number and the
    /// lane's, then those of all that is measured.
    pub fn line_names() -> Vec<&'static str> {
        let metrics = Metric::all().map(Metric::name);
        ["run", Self::LANE]
            .into_iter()
            .chain(metrics)
            .chain([Throttle::NAME])
            .collect()
    }

    /// The value of a metric of the run.
    pub fn get(&self, metric: Metric) -> Option<f64> {
        self.run.get(metric)
    }

    /// Sets the value of a metric of the run. What is no number counts as not measured.
    pub fn set(&mut self, metric: Metric, value: impl Into<Option<f64>>) {
        self.run.set(metric, value);
    }

    /// What was measured of the run as a whole.
    pub fn run(&self) -> &Measured {
        &self.run
    }

    /// What held the clocks of GPUs down.
    pub fn throttle(&self) -> Throttle {
        self.run.throttle
    }

    /// What was measured of each lane.
    pub fn lanes(&self) -> &[Measured] {
        &self.lanes
    }

    /// Sets what was measured of each lane.
    pub fn set_lanes(&mut self, lanes: Vec<Measured>) {
        self.lanes = lanes;
    }

    /// Sets what is known of the GPU of each lane, from which the run's own figures of GPUs are made.
    pub fn set_gpus(&mut self, gpus: &[Measured]) {
        let is_of_gpu = |metric: Metric| matches!(metric.scope(), Scope::Gpu(_));
        for metric in Metric::all() {
            if let Scope::Gpu(together) = metric.scope() {
                self.run.set(metric, in_all(together, metric, gpus));
            }
        }
        self.run.throttle = Throttle::default();
        for gpu in gpus {
            self.run.throttle.add(gpu.throttle);
        }
        if self.lanes.len() < gpus.len() {
            self.lanes.resize(gpus.len(), Measured::default());
        }
        for (lane, gpu) in self.lanes.iter_mut().zip(gpus) {
            lane.adopt(gpu, is_of_gpu);
        }
    }

    /// Seconds of the interval.
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// Takes over what `latest` says of GPUs and processes, which is not measured as often.
    pub fn adopt_machine(&mut self, latest: &Self) {
        self.run.adopt(&latest.run, Metric::is_of_machine);
        for (lane, latest) in self.lanes.iter_mut().zip(&latest.lanes) {
            lane.adopt(latest, Metric::is_of_machine);
        }
    }

    /// This interval and the next one as one.
    pub fn merged(&self, next: &Self) -> Self {
        let merge = |a: &Measured, b: &Measured| a.merged(self.interval, b, next.interval);
        // One of them may be from before or behind the time in which lanes are known.
        let nothing = Measured::default();
        let n_lanes = self.lanes.len().max(next.lanes.len());
        let lanes = (0..n_lanes).map(|lane| {
            merge(
                self.lanes.get(lane).unwrap_or(&nothing),
                next.lanes.get(lane).unwrap_or(&nothing),
            )
        });
        Self {
            run: merge(&self.run, &next.run),
            lanes: lanes.collect(),
            interval: self.interval + next.interval,
        }
    }
}

/// What the figures of several GPUs are together.
fn in_all(together: Together, metric: Metric, gpus: &[Measured]) -> Option<f64> {
    let values = gpus.iter().map(|gpu| gpu.get(metric));
    let known = values.clone().flatten();
    let n_known = known.clone().count();
    match together {
        _ if n_known == 0 => None,
        Together::Sum => values.sum(),
        Together::Mean => Some(known.sum::<f64>() / n_known as f64),
        Together::Most => known.reduce(f64::max),
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Metric::COUNT + 2))?;
        self.run.serialize_into(&mut map, |_| true)?;
        let lanes: Vec<_> = self.lanes.iter().enumerate().map(Lane::new).collect();
        map.serialize_entry(Self::LANES, &lanes)?;
        map.end()
    }
}

/// A lane of a sample: its number, and what each lane has of its own.
struct Lane<'a>(usize, &'a Measured);

impl<'a> Lane<'a> {
    fn new((lane, measured): (usize, &'a Measured)) -> Self {
        Self(lane, measured)
    }
}

impl Serialize for Lane<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(Sample::LANE, &self.0)?;
        self.1.serialize_into(&mut map, Metric::is_of_lane)?;
        map.end()
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

    fn gpu(utilization: f64, temperature: Option<f64>, throttle: Throttle) -> Measured {
        let mut gpu = Measured::default();
        gpu.set(Metric::GpuUtilization, utilization);
        gpu.set(Metric::GpuTemperatureCelsius, temperature);
        gpu.set(
            Metric::GpuPowerWatts,
            temperature.map(|celsius| 10.0 * celsius),
        );
        gpu.set(Metric::Tokens, 1.0);
        gpu.throttle.add(throttle);
        gpu
    }

    fn of_gpus(gpus: &[Measured]) -> Sample {
        let mut sample = Sample::new(1.0);
        sample.set_gpus(gpus);
        sample
    }

    #[test]
    fn gpus_are_kept_apart_and_seen_together() {
        // One GPU is the GPU of the sample.
        let one = of_gpus(&[gpu(0.75, Some(60.0), Throttle::HEAT)]);
        assert_eq!(one.get(Metric::GpuUtilization), Some(0.75));
        assert_eq!(one.get(Metric::GpuPowerWatts), Some(600.0));
        assert_eq!(one.throttle(), Throttle::HEAT);
        let idle = gpu(0.25, None, Throttle::POWER_CAP);
        let busy = gpu(0.75, Some(60.0), Throttle::default());
        let both = of_gpus(&[busy.clone(), busy.clone()]);
        assert_eq!(both.get(Metric::GpuPowerWatts), Some(1200.0));
        let two = of_gpus(&[busy, idle.clone()]);
        assert_eq!(two.get(Metric::GpuUtilization), Some(0.5));
        assert_eq!(two.get(Metric::GpuTemperatureCelsius), Some(60.0));
        assert_eq!(two.get(Metric::GpuPowerWatts), None, "not of both");
        assert_eq!(two.get(Metric::Tokens), None, "no GPU counts them");
        assert_eq!(two.lanes()[0].get(Metric::Tokens), None);
        assert_eq!(two.throttle(), Throttle::POWER_CAP);
        let later = of_gpus(&[gpu(0.25, Some(70.0), Throttle::HEAT), idle]);
        let merged = two.merged(&later);
        let shares = (merged.lanes().iter()).map(|lane| lane.get(Metric::GpuUtilization));
        assert_eq!(shares.collect::<Vec<_>>(), [Some(0.5), Some(0.25)]);
        let hot = &merged.lanes()[0];
        assert_eq!(hot.throttle, Throttle::HEAT);
        assert_eq!(hot.get(Metric::GpuTemperatureCelsius), Some(70.0));
    }

    #[test]
    fn lanes_keep_their_work_when_the_machine_was_measured_before() {
        let mut lane = Measured::default();
        lane.set(Metric::Tokens, 7.0);
        let mut sample = Sample::new(1.0);
        sample.set_lanes(vec![lane.clone(), lane]);
        let gpus = [
            gpu(0.5, None, Throttle::HEAT),
            gpu(0.75, None, Throttle::default()),
        ];
        sample.adopt_machine(&of_gpus(&gpus));
        let lanes = sample.lanes().iter();
        let lanes: Vec<_> = lanes
            .map(|lane| (lane.get(Metric::Tokens), lane.get(Metric::GpuUtilization)))
            .collect();
        assert_eq!(lanes, [(Some(7.0), Some(0.5)), (Some(7.0), Some(0.75))]);
        // A sample without lanes is no other one when it is merged.
        let merged = Sample::new(1.0).merged(&sample);
        assert_eq!(merged.lanes(), sample.lanes());
    }

    #[test]
    fn json_has_every_metric_and_no_noise() {
        let mut sample = Sample::new(1.0);
        sample.set(Metric::Tokens, 12.0);
        sample.set(Metric::PackingFill, 2.0 / 3.0);
        sample.set(Metric::Mfu, f64::NAN);
        let mut lane = Measured::default();
        lane.set(Metric::Tokens, 5.0);
        sample.set_lanes(vec![Measured::default(), lane]);
        let json = serde_json::to_value(&sample).unwrap();
        assert_eq!(json["tokens"], 12);
        assert_eq!(json["packing_fill"], 0.6667);
        assert!(json["mfu"].is_null());
        assert_eq!(json.as_object().unwrap().len(), Metric::COUNT + 2);
        let lane = json["lanes"][1].as_object().unwrap();
        assert_eq!((&lane["gpu"], &lane["tokens"]), (&1.into(), &5.into()));
        let n_of_lane = Metric::all().filter(|metric| metric.is_of_lane()).count();
        assert_eq!(lane.len(), n_of_lane + 2, "with its number and its reasons");
    }
}
