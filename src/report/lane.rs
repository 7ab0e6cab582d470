//! The figures of a lane of a run.

use super::figure::{
    Better::{Larger, Smaller},
    Figure,
    Unit::{Bytes, Count, Number, Seconds, Share},
};
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

type Row = Figure<LaneSummary>;

/// Every figure of a lane, in the order of the page's columns.
#[rustfmt::skip]
pub static LANE_FIGURES: &[Figure<LaneSummary>] = &[
    Row::text("device", "the device", |lane| Some(lane.device.clone()))
        .phrase("lane", 1, "{}").tile("device"),
    Row::text("state", "`worked`, or `failed` if the other lanes went on without it",
        |lane| Some(if lane.has_failed { "failed" } else { "worked" }.to_owned())),
    Row::text("gpu_uuid", "the UUID of its GPU", |lane| lane.uuid.clone())
        .missing("on the CPU"),
    Row::decimal("token_share", Share, "the part of the run's tokens that it embedded, from 0 to 1",
        |lane| Some(lane.token_share))
        .phrase("lane", 2, ": {} of the tokens").tile("share of tokens"),
    Row::decimal("tokens_per_sec", Number("tokens/s"), "the tokens embedded per second of the run",
        |lane| Some(lane.tokens_per_sec))
        .better(Larger).phrase("lane", 3, ", {} {unit}").tile("{unit}"),
    Row::decimal("encoder_tokens_per_sec", Number("tokens/s"), "the tokens embedded per second of computing",
        |lane| Some(lane.encoder_tokens_per_sec()))
        .better(Larger).phrase("lane", 4, " ({} while computing)").tile("{unit} computing"),
    Row::decimal("gpu_utilization", Share,
        "the share of the time during which any kernel ran on its GPU, from 0 to 1, as NVML measured it",
        |lane| lane.gpu_utilization)
        .missing("on the CPU, without NVML and for runs of a second or two")
        .better(Larger).phrase("lane", 6, ", GPU utilization {}").tile("utilisation"),
    Row::decimal("encoder_idle", Share,
        "the share of the time during which it had nothing to compute, from 0 to 1, on a GPU by its own clock",
        |lane| lane.encoder_idle)
        .missing("if it got no batch")
        .better(Smaller).phrase("lane", 5, ", idle {}").tile("idle"),
    Row::decimal("gpu_power_watts", Number("W"), "the mean power of its GPU", |lane| lane.gpu_power_watts)
        .missing("where NVML does not tell it")
        .better(Smaller).phrase("lane", 7, ", {} {unit}").tile("mean {unit}"),
    Row::decimal("energy_joules", Number("J"),
        "the joules that its GPU took, by its own counter or else added up from its power",
        |lane| lane.energy_joules)
        .missing("where NVML does not tell it")
        .better(Smaller).phrase("lane", 8, ", {} {unit}").tile("energy, {unit}"),
    Row::decimal("tokens_per_joule", Number("tokens/J"), "the tokens embedded per joule that its GPU took",
        |lane| lane.energy_joules.map(|joules| lane.tokens as f64 / joules))
        .missing("where `energy_joules` is")
        .better(Larger).phrase("lane", 9, " ({} {unit})").tile("{unit}"),
    Row::whole("gpu_memory_bytes", Bytes, "the bytes of its GPU's memory that were in use at most, by all programs",
        |lane| lane.gpu_memory_bytes)
        .missing("where NVML does not tell it")
        .better(Smaller).phrase("lane", 10, ", {} in use").tile("memory at most"),
    Row::whole("batches", Count("batch", "batches"), "the number of batches", |lane| Some(lane.batches)),
    Row::whole("sequences", Count("sequence", "sequences"), "the number of sequences embedded",
        |lane| Some(lane.sequences)),
    Row::whole("tokens", Count("token", "tokens"), "the number of tokens embedded", |lane| Some(lane.tokens)),
    Row::decimal("encoder_seconds", Seconds,
        "the seconds that it computed, by the device's own clock where it has one",
        |lane| Some(lane.encoder_seconds))
        .better(Smaller),
    Row::decimal("wait_seconds", Seconds, "the seconds that it waited for a batch",
        |lane| Some(lane.wait_seconds))
        .better(Smaller),
];

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

    fn encoder_tokens_per_sec(&self) -> f64 {
        match self.encoder_seconds > 0.0 {
            true => self.tokens as f64 / self.encoder_seconds,
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_field_of_a_lane_is_a_figure_once() {
        let names: BTreeSet<_> = LANE_FIGURES.iter().map(|figure| figure.name).collect();
        assert_eq!(names.len(), LANE_FIGURES.len());
        let json = serde_json::to_value(LaneSummary::made_up(true)).unwrap();
        for (name, value) in json.as_object().unwrap() {
            assert!(!value.is_null(), "LaneSummary::made_up lacks {name}");
            assert!(
                !value.is_number() || names.contains(name.as_str()),
                "{name}"
            );
        }
        for figure in LANE_FIGURES {
            assert_eq!(
                figure.number(&LaneSummary::made_up(false)).is_none(),
                figure.unit == super::super::Unit::Text
                    || figure
                        .missing
                        .is_some_and(|place| place != "if it got no batch"),
                "{}",
                figure.name
            );
        }
    }
}
