//! What is known of a lane at the end of a run.

use super::{LaneFacts, lane_mean::mean, sampler::encoder_idle, sampling_thread::SamplingThread};
use crate::meter::{LaneReading, Metric, Reading, Sample};

/// What is known of a lane at the end of a run.
#[derive(Clone, Debug, Default)]
pub struct LaneFindings {
    /// Which it is.
    pub facts: LaneFacts,
    /// Its meters when it had ended.
    pub reading: LaneReading,
    /// The share of the time from its first batch on in which it had nothing to compute.
    pub encoder_idle: Option<f64>,
    /// NVML's mean utilisation while batches were computed, from 0 to 1.
    pub gpu_utilization: Option<f64>,
    /// The mean power of its GPU.
    pub gpu_power_watts: Option<f64>,
    /// Bytes of its GPU's memory that were in use at most, by all programs.
    pub gpu_memory_bytes: Option<f64>,
    /// Joules that its GPU took.
    pub energy_joules: Option<f64>,
}

impl LaneFindings {
    /// What is known of every lane, by all meters when the first batch was there and at the end. `worked` are the samples of the time in which batches were computed.
    pub(super) fn of_all(
        facts: &[LaneFacts],
        (began, reading): (Option<&Reading>, &Reading),
        worked: &[Sample],
        sampling: Option<&SamplingThread>,
    ) -> Vec<Self> {
        let lanes = facts.iter().zip(&reading.lanes).enumerate();
        lanes
            .map(|(lane, (facts, reading))| Self {
                facts: facts.clone(),
                reading: *reading,
                // Of one that got no batch it says nothing.
                encoder_idle: began
                    .filter(|_| reading.counts.batches > 0)
                    .and_then(|began| Some(reading.since(began.lanes.get(lane)?)))
                    .and_then(|span| encoder_idle([&span].into_iter(), 0, facts.gpu.is_some())),
                gpu_utilization: mean(worked, lane, Metric::GpuUtilization),
                gpu_power_watts: mean(worked, lane, Metric::GpuPowerWatts),
                gpu_memory_bytes: (worked.iter())
                    .filter_map(|sample| sample.lanes().get(lane)?.get(Metric::GpuMemoryBytes))
                    .reduce(f64::max),
                energy_joules: sampling.and_then(|sampling| sampling.lane_joules(lane)),
            })
            .collect()
    }
}
