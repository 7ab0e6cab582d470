//! From what the stages leave to the figures of a run.

use super::{pack::PackTotals, plan::Plan};
use crate::{
    device::GpuTiming,
    event::Kept,
    file::host_name,
    job::{EmbedOptions, EmbedPlan, SHARD_SETTING, Shard},
    meter::Stage,
    model::Model,
    monitor::{Findings, LaneFindings, peak_memory_bytes},
    report::{GpuSummary, LaneSummary, RunDetails, RunSummary, StretchOfWork},
    sink::{Published, Resumed},
};
use std::{process, sync::Arc, time::SystemTime};

/// What a run leaves.
pub(super) struct Ending {
    pub(super) started: SystemTime,
    /// Which part of the records the run is about, if it is not all of them.
    pub(super) shard: Option<Shard>,
    /// Wall-clock seconds, publication included.
    pub(super) seconds: f64,
    /// Nothing, where the run failed: then the meters have to do.
    pub(super) packed: PackTotals,
    /// What a GPU measured.
    pub(super) gpu: Option<GpuTiming>,
    /// Devices that failed.
    pub(super) failed_lanes: u64,
    pub(super) findings: Findings,
    /// What was there before the run.
    pub(super) resumed: Resumed,
    /// What is kept of an output that was not published.
    pub(super) kept: Option<Kept>,
    pub(super) published: Published,
}

impl Ending {
    /// The figures of the run.
    pub(super) fn summary(self, model: &Model, plan: &Plan, wanted: &EmbedPlan) -> RunSummary {
        let options = wanted.options();
        let started = self.started_at();
        let stretches = self.stretches(model);
        let more_remarks = self.remarks();
        let Self {
            packed,
            mut findings,
            ..
        } = self;
        findings.remarks.extend(more_remarks);
        let counts = findings.reading.counts;
        let token_budget = plan.token_budget.get();
        let room = counts.batches as f64 * token_budget as f64;
        let tflops = counts.flops / counts.compute_seconds / 1e12;
        RunSummary {
            model: model.name().to_owned(),
            device: model.device().to_owned(),
            dtype: model.dtype().name().to_owned(),
            accuracy: model.accuracy().map(|accuracy| accuracy.least),
            hidden_size: model.hidden_size(),
            columns: wanted.question().shapes(model.hidden_size()),
            shard: self.shard,
            readers: options.readers.get(),
            prefetch: options.prefetch.get(),
            token_budget,
            records: packed.records.max(counts.records),
            sequences: counts.sequences,
            rejected: packed.tally.rejected.max(counts.rejected),
            truncated: packed.tally.truncated,
            residues: packed.tally.residues.max(counts.residues),
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
            lanes: (findings.lanes.iter())
                .map(|lane| lane_summary(lane, counts.tokens, self.seconds))
                .collect(),
            reader_restarts: packed.reader_restarts,
            failed_lanes: self.failed_lanes,
            resumed: self.resumed.rows.saturating_sub(packed.mended_rows),
            resumed_rejected: (self.resumed.rejected).saturating_sub(packed.mended_rejected),
            peak_memory_bytes: peak_memory_bytes(),
            output: self.published.output,
            rejects: self.published.rejects,
            bottleneck: findings.bottleneck,
            details: Arc::new(RunDetails {
                inputs: wanted.inputs().to_owned(),
                started,
                settings: settings(model, plan, wanted)
                    .into_iter()
                    .chain(shard_setting(self.shard))
                    .collect(),
                thresholds: options.thresholds,
                stages: findings.reading.stages,
                timeline: findings.timeline,
                lengths: packed.lengths,
                scores: None,
                rejections: packed.rejections,
                stretches,
                remarks: findings.remarks,
            }),
        }
    }
}

impl Ending {
    /// Who worked on the output, if the run was not the first.
    fn stretches(&self, model: &Model) -> Vec<StretchOfWork> {
        let Resumed {
            stretches,
            done,
            lost,
            published,
            ..
        } = &self.resumed;
        // A stretch says what the one before it lost.
        let lost_rows = stretches.iter().skip(1).map(|next| next.lost_rows);
        let lost_rows = lost_rows.chain([lost.rows]);
        let before = stretches.iter().zip(lost_rows).enumerate();
        let mut all: Vec<_> = before
            .map(|(n, (stretch, lost_rows))| StretchOfWork {
                started: stretch.at.clone(),
                host: stretch.host.clone(),
                pid: stretch.pid,
                device: stretch.device.clone(),
                rows: done.get(n).map(|done| done.rows),
                seconds: done.get(n).map(|done| done.seconds),
                lost_rows,
            })
            .collect();
        // Where the output was finished, the run has added nothing.
        if !all.is_empty() && published.output.is_none() {
            let computed = self.findings.reading.counts.sequences;
            let kept = self
                .kept
                .as_ref()
                .map(|kept| kept.rows.saturating_sub(self.resumed.rows));
            let rows = kept.unwrap_or(computed);
            all.push(StretchOfWork {
                started: self.started_at(),
                host: host_name().to_owned(),
                pid: process::id(),
                device: model.device().to_owned(),
                rows: Some(rows),
                seconds: Some(self.seconds),
                lost_rows: computed.saturating_sub(rows),
            });
        }
        all
    }

    /// What is worth knowing about the output.
    fn remarks(&self) -> Option<String> {
        if let Some(Kept { rows, folder }) = &self.kept {
            return Some(format!(
                "{rows} {} kept in `{}`, and the same script goes on from there",
                crate::text::in_number(*rows, "row is", "rows are"),
                folder.display()
            ));
        }
        let output = self.resumed.published.output.as_ref()?;
        Some(format!(
            "`{}` was finished before, and nothing was computed",
            output.display()
        ))
    }

    fn started_at(&self) -> String {
        humantime::format_rfc3339_seconds(self.started).to_string()
    }
}

/// What is said among the settings of a run about the part of the records that it embeds.
pub(super) fn shard_setting(shard: Option<Shard>) -> Option<(&'static str, String)> {
    shard.map(|shard| (SHARD_SETTING, shard.to_string()))
}

/// The figures of a lane of a run that embedded so many tokens in so many seconds.
fn lane_summary(found: &LaneFindings, all_tokens: u64, seconds: f64) -> LaneSummary {
    let reading = found.reading;
    let counts = reading.counts;
    let tokens = counts.tokens as f64;
    let part_of = |whole: f64| if whole > 0.0 { tokens / whole } else { 0.0 };
    LaneSummary {
        device: found.facts.device.clone(),
        uuid: found.facts.gpu.as_ref().map(|gpu| gpu.uuid.clone()),
        has_failed: reading.has_failed,
        batches: counts.batches,
        sequences: counts.sequences,
        tokens: counts.tokens,
        token_share: part_of(all_tokens as f64),
        tokens_per_sec: part_of(seconds),
        encoder_seconds: counts.compute_seconds,
        wait_seconds: reading.encoding.starved,
        encoder_idle: found.encoder_idle,
        gpu_utilization: found.gpu_utilization,
        gpu_power_watts: found.gpu_power_watts,
        gpu_memory_bytes: found.gpu_memory_bytes.map(|bytes| bytes as u64),
        energy_joules: found.energy_joules,
    }
}

/// Every setting of a run by name, as text: what it used, where the script left the choice to it.
fn settings(model: &Model, plan: &Plan, wanted: &EmbedPlan) -> Vec<(&'static str, String)> {
    let used = wanted.used(plan.token_budget);
    let rules = wanted.dataset().rules().into_iter();
    let rules = rules.map(|(name, rule)| (name, rule.unwrap_or_else(|| "none".to_owned())));
    let quantisation = model.quantisation();
    let model = [
        ("dtype", model.dtype().name().to_owned()),
        ("gelu", model.gelu().name().to_owned()),
    ];
    let options = EmbedOptions::OPTIONS.settings(&used);
    let options = options.map(|(name, text)| {
        // Where nothing is pooled, no layer is needed for it.
        let is_unused = text.is_empty() || (name == "pooling" && used.pooling.is_none());
        (name, if is_unused { "none".to_owned() } else { text })
    });
    let model = model.into_iter().chain(quantisation);
    options.chain(rules).chain(model).collect()
}
