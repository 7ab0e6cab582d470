//! The figures of a lane: the one table that scripts, printed tables, pages and the documentation read.

use super::{
    LaneSummary,
    figure::{
        Better::{Larger, Smaller},
        Figure,
    },
    unit::Unit::{Bytes, Count, Number, Seconds, Share},
};

type Row = Figure<LaneSummary>;

/// Every figure of a lane, in the order of the page's columns.
#[rustfmt::skip]
pub static LANE_FIGURES: &[Figure<LaneSummary>] = &[
    Row::text("device", "the device", |lane| Some(lane.device.clone()))
        .phrase("lane", 1, "{}").tile("device"),
    Row::text("state", "`worked`, or `failed` if the others went on without it, also where it failed before the run",
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
