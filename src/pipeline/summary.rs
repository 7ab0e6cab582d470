//! From what the stages leave to the figures of a run.

use super::{pack::PackTotals, plan::Plan};
use crate::{
    device::GpuTiming,
    job::{EmbedOptions, EmbedPlan},
    meter::Stage,
    model::Model,
    monitor::{Findings, peak_memory_bytes},
    report::{GpuSummary, RunDetails, RunSummary},
    sink::{Published, Resumed},
};
use std::{sync::Arc, time::SystemTime};

/// What a run leaves.
pub(super) struct Ending {
    pub(super) started: SystemTime,
    /// Wall-clock seconds, publication included.
    pub(super) seconds: f64,
    /// Nothing, where the run failed: then the meters have to do.
    pub(super) packed: PackTotals,
    /// What a GPU measured.
    pub(super) gpu: Option<GpuTiming>,
    pub(super) findings: Findings,
    /// What was there before the run.
    pub(super) resumed: Resumed,
    pub(super) published: Published,
}

impl Ending {
    /// The figures of the run.
    pub(super) fn summary(self, model: &Model, plan: &Plan, wanted: &EmbedPlan) -> RunSummary {
        let (dataset, options) = (wanted.dataset(), wanted.options());
        let Self {
            packed, findings, ..
        } = self;
        let counts = findings.reading.counts;
        let token_budget = plan.token_budget.get();
        let room = counts.batches as f64 * token_budget as f64;
        let tflops = counts.flops / counts.compute_seconds / 1e12;
        RunSummary {
            model: model.name().to_owned(),
            device: model.device().to_owned(),
            dtype: model.dtype().name().to_owned(),
            hidden_size: model.hidden_size(),
            readers: options.readers.get(),
            prefetch: options.prefetch.get(),
            token_budget,
            records: packed.records.max(counts.records),
            sequences: counts.sequences,
            rejected: packed.rejected.max(counts.rejected),
            truncated: packed.truncated,
            residues: packed.residues.max(counts.residues),
            tokens: counts.tokens,
            batches: counts.batches,
            packing_fill: if room > 0.0 {
                counts.tokens as f64 / room
            } else {
                0.0
            },
            seconds: self.seconds,
            encoder_seconds: counts.compute_seconds,
            wait_seconds: findings.reading.stage(Stage::Encoding).starved,
            tflops: (tflops.is_finite() && tflops > 0.0).then_some(tflops),
            mfu: findings.mfu,
            gpu_utilization: findings.gpu_utilization,
            energy_joules: findings.energy_joules,
            gpu: self.gpu.map(|gpu| GpuSummary {
                idle_seconds: gpu.idle,
                upload_seconds: gpu.upload,
                exposed_upload_seconds: gpu.exposed_upload,
                memory_bytes: model.gpu_memory_bytes().unwrap_or(0),
            }),
            reader_restarts: packed.reader_restarts,
            resumed: self.resumed.rows,
            resumed_rejected: self.resumed.rejected,
            peak_memory_bytes: peak_memory_bytes(),
            output: self.published.output,
            rejects: self.published.rejects,
            bottleneck: findings.bottleneck,
            details: Arc::new(RunDetails {
                inputs: dataset.sources.join(", "),
                started: humantime::format_rfc3339_seconds(self.started).to_string(),
                settings: settings(model, plan, wanted),
                thresholds: options.thresholds,
                stages: findings.reading.stages,
                timeline: findings.timeline,
                lengths: packed.lengths,
                rejections: packed.rejections,
                remarks: findings.remarks,
            }),
        }
    }
}

/// Every setting of a run by name, as text: what it used, where the script left the choice to it.
fn settings(model: &Model, plan: &Plan, wanted: &EmbedPlan) -> Vec<(&'static str, String)> {
    let used = wanted.used(plan.token_budget);
    let rules = wanted.dataset().rules().into_iter();
    let rules = rules.map(|(name, rule)| (name, rule.unwrap_or_else(|| "none".to_owned())));
    let model = [
        ("dtype", model.dtype().name().to_owned()),
        ("gelu", model.gelu().name().to_owned()),
    ];
    EmbedOptions::OPTIONS
        .settings(&used)
        .chain(rules)
        .chain(model)
        .collect()
}
