//! What is known at the end of a run.

use super::{
    growth,
    lane_findings::LaneFindings,
    sampling_thread::{SamplingThread, UTILIZATION_LAG},
    shared::Shared,
    verdict::{fill_remark, judge},
};
use crate::meter::{Bottleneck, Metric, Reading, Sample};

/// What is known at the end of a run.
#[derive(Debug, Default)]
pub struct Findings {
    /// What held the run back, if there were enough batches to tell.
    pub bottleneck: Option<Bottleneck>,
    /// All meters when the last stage had ended.
    pub reading: Reading,
    /// What was measured, in intervals of equal length but for the last.
    pub timeline: Vec<Sample>,
    /// NVML's mean utilisation of all GPUs while batches were computed, from 0 to 1.
    pub gpu_utilization: Option<f64>,
    /// Joules that all GPUs took, by their own counters or else added up from their power, from when NVML had been opened, which is soon
    /// after the beginning, until the last stage had ended. Nothing where a GPU does not tell them, and
    /// where no sample was taken meanwhile.
    pub energy_joules: Option<f64>,
    /// Useful FLOP over what the devices' peaks would have done while they computed, from 0 to 1.
    pub mfu: Option<f64>,
    /// What is known of each lane.
    pub lanes: Vec<LaneFindings>,
    /// What else is worth knowing; one sentence each, without a final dot.
    pub remarks: Vec<String>,
}

impl Findings {
    /// What the meters say at the end, and what the sampling thread leaves, if there was one.
    pub(super) fn new(shared: &Shared, reading: Reading, sampling: Option<SamplingThread>) -> Self {
        let Shared { facts, began, .. } = shared;
        let sampling = sampling.as_ref();
        let utilization = sampling.and_then(SamplingThread::mean_utilization);
        let timeline = sampling.map_or_else(Vec::new, |sampling| sampling.timeline.samples());
        let counts = reading.counts;
        let fill = counts.tokens as f64 / (counts.batches * facts.token_budget as u64) as f64;
        let span = began.get().map(|began| reading.since(began));
        let computing = reading.lanes.iter();
        let computing = computing.map(|lane| lane.counts.compute_seconds);
        let worked = began
            .get()
            .map_or(&[][..], |began| worked(&timeline, began));
        Self {
            bottleneck: span.and_then(|span| judge(&span, facts, utilization, worked)),
            lanes: LaneFindings::of_all(&facts.lanes, (began.get(), &reading), worked, sampling),
            remarks: [
                fill_remark(fill, counts.batches, facts),
                growth::remark(&timeline),
            ]
            .into_iter()
            .flatten()
            .collect(),
            mfu: facts
                .possible_flops(computing)
                .map(|possible| counts.flops / possible)
                .filter(|mfu| mfu.is_finite()),
            timeline,
            gpu_utilization: utilization,
            energy_joules: sampling.and_then(SamplingThread::energy_joules),
            reading,
        }
    }
}

/// The samples of the time after the first batch was there. NVML's figures are of up to a second before, so that
/// of a run of a few seconds the first ones are left out, but not all.
fn worked<'a>(timeline: &'a [Sample], began: &Reading) -> &'a [Sample] {
    let first = timeline.iter().position(|sample| {
        let end = sample.get(Metric::Seconds).unwrap_or(0.0);
        end - sample.interval() >= began.seconds + UTILIZATION_LAG
    });
    &timeline[first.unwrap_or(timeline.len().saturating_sub(1))..]
}
