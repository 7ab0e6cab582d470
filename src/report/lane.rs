//! What is known of a lane of a run.

use serde::Serialize;

/// The figures of a lane of a run: a device that worked beside others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LaneSummary {
    /// Its device, in a word.
    pub device: String,
    /// The UUID of its GPU, if it is one.
    pub uuid: Option<String>,
    /// Whether it failed, so that the others went on without it.
    pub has_failed: bool,
    /// Batches embedded.
    pub batches: u64,
    /// Sequences embedded.
    pub sequences: u64,
    /// Tokens embedded.
    pub tokens: u64,
    /// The part of the run's tokens, from 0 to 1.
    pub token_share: f64,
    /// Tokens embedded per wall-clock second of the run.
    pub tokens_per_sec: f64,
    /// Seconds that it computed, by the device's own clock where it has one.
    pub encoder_seconds: f64,
    /// Seconds that its encoding stage waited for a batch.
    pub wait_seconds: f64,
    /// The share of the time without anything to compute, from 0 to 1.
    pub encoder_idle: Option<f64>,
    /// The share of the time during which any kernel ran, by NVML, from 0 to 1.
    pub gpu_utilization: Option<f64>,
    /// The mean power of its GPU.
    pub gpu_power_watts: Option<f64>,
    /// Bytes of its GPU's memory that were in use at most, by all programs.
    pub gpu_memory_bytes: Option<u64>,
    /// Joules that its GPU took.
    pub energy_joules: Option<f64>,
}

impl LaneSummary {
    /// The figures of the only lane of a run that nobody made; none is zero that a script might divide by.
    pub(super) fn made_up(is_on_gpu: bool) -> Self {
        let on_gpu = |figure: f64| is_on_gpu.then_some(figure);
        Self {
            device: if is_on_gpu { "cuda:0" } else { "cpu" }.to_owned(),
            uuid: is_on_gpu.then(|| "GPU-0".to_owned()),
            has_failed: false,
            batches: 1,
            sequences: 1,
            tokens: 102,
            token_share: 1.0,
            tokens_per_sec: 102.0,
            encoder_seconds: 0.5,
            wait_seconds: 0.01,
            encoder_idle: Some(0.02),
            gpu_utilization: on_gpu(0.5),
            gpu_power_watts: on_gpu(100.0),
            gpu_memory_bytes: is_on_gpu.then_some(1 << 30),
            energy_joules: on_gpu(100.0),
        }
    }

    /// Its device, and whether that failed.
    pub(super) fn name(&self) -> String {
        match self.has_failed {
            true => format!("{} failed", self.device),
            false => self.device.clone(),
        }
    }

    /// Tokens embedded per second of computing.
    pub fn encoder_tokens_per_sec(&self) -> f64 {
        match self.encoder_seconds > 0.0 {
            true => self.tokens as f64 / self.encoder_seconds,
            false => 0.0,
        }
    }
}
