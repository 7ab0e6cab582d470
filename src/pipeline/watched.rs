//! What there is to watch about a run.

use super::{fleet::Fleet, plan::Plan};
use crate::{
    fasta::Input,
    job::{EmbedPlan, Shard},
    model::{Model, Replica},
    monitor::{GpuFacts, LaneFacts, MonitorPlan, RunFacts, peak_flops},
};

/// What to watch about the run with this number.
pub(super) fn monitor_plan(
    run: u64,
    shard: Option<Shard>,
    plan: &Plan,
    model: &Model,
    fleet: &Fleet<'_>,
    wanted: &EmbedPlan,
    inputs: &[Input],
) -> MonitorPlan {
    let options = wanted.options();
    let lane = |(number, replica): (usize, &Replica)| LaneFacts {
        device: model.lane_name(replica),
        computes_beside: replica.computes_beside(),
        is_absent: !fleet.has(number),
        gpu: replica.gpu().map(|(name, uuid)| GpuFacts {
            uuid: uuid.to_owned(),
            name: name.to_owned(),
            peak_flops: peak_flops(name, model.dtype()),
        }),
    };
    MonitorPlan {
        run,
        name: format!("{} with {}", wanted.inputs(), model.name()),
        facts: RunFacts {
            thresholds: options.thresholds,
            shard,
            lanes: model.replicas().iter().enumerate().map(lane).collect(),
            n_gpus_left_over: model.n_gpus_left_over(),
            n_readers: options.readers.get(),
            n_inputs: inputs.len(),
            is_stream: inputs.iter().any(Input::is_stream),
            is_shareable: inputs.iter().any(Input::is_shareable),
            has_overlap: options.overlap,
            token_budget: plan.token_budget.get(),
            is_packed: plan.packing,
        },
        hz: options.monitor_hz,
        metrics_every: options.metrics_every,
    }
}
