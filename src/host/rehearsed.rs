//! The figures of a run that was only rehearsed: none is zero, so that scripts can divide by them.

use super::ModelInfo;
use crate::{
    job::{Dataset, EmbedOptions},
    meter::{Bottleneck, Metric, Sample, Severity, Stage, StageTime, Unit},
    report::{GpuSummary, LengthHistogram, RunDetails, RunSummary},
};
use std::{num::NonZeroUsize, sync::Arc};

/// Residues of the one sequence.
const RESIDUES: u64 = 100;
const SECONDS: f64 = 1.0;

/// The figures of a run of one sequence. Those of a GPU are there if there would be one.
pub(super) fn summary(
    model: ModelInfo,
    is_on_gpu: bool,
    dataset: &Dataset,
    options: &EmbedOptions,
) -> RunSummary {
    let on_gpu = |figure: f64| is_on_gpu.then_some(figure);
    let tokens = RESIDUES + 2;
    let usual_budget = if is_on_gpu { 32_768 } else { 4096 };
    let token_budget = options.token_budget.map_or(usual_budget, NonZeroUsize::get);
    RunSummary {
        // Hashes are no such operations.
        tflops: (model.device != "mock").then_some(0.01),
        model: model.name,
        device: model.device,
        dtype: model.dtype,
        hidden_size: model.hidden_size,
        readers: options.readers.get(),
        prefetch: options.prefetch.get(),
        token_budget,
        records: 1,
        sequences: 1,
        rejected: 0,
        truncated: 0,
        residues: RESIDUES,
        tokens,
        batches: 1,
        packing_fill: tokens as f64 / token_budget as f64,
        seconds: SECONDS,
        encoder_seconds: SECONDS / 2.0,
        wait_seconds: SECONDS / 100.0,
        mfu: on_gpu(0.5),
        gpu_utilization: on_gpu(0.5),
        gpu: is_on_gpu.then_some(GpuSummary {
            idle_seconds: SECONDS / 100.0,
            upload_seconds: SECONDS / 100.0,
            exposed_upload_seconds: SECONDS / 1000.0,
            memory_bytes: 1 << 30,
        }),
        reader_restarts: 0,
        peak_memory_bytes: 1 << 26,
        output: options.output.clone(),
        rejects: None,
        // Scripts may look into it without asking whether there is one.
        bottleneck: Some(Bottleneck {
            stage: Stage::Encoding,
            severity: Severity::Good,
            message: "nothing was run".to_owned(),
            remedy: None,
        }),
        details: Arc::new(details(is_on_gpu, dataset)),
    }
}

fn details(is_on_gpu: bool, dataset: &Dataset) -> RunDetails {
    let mut lengths = LengthHistogram::default();
    lengths.add(RESIDUES as usize);
    let third = SECONDS / 3.0;
    let stage = StageTime {
        working: third,
        starved: third,
        blocked: third,
    };
    RunDetails {
        inputs: dataset.sources.join(", "),
        started: "2000-01-01T00:00:00Z".to_owned(),
        stages: [stage; 5],
        timeline: vec![sample(is_on_gpu)],
        lengths,
        ..RunDetails::default()
    }
}

/// A sample in which everything was measured that the device has.
fn sample(is_on_gpu: bool) -> Sample {
    let mut sample = Sample::new(SECONDS);
    for metric in Metric::all() {
        let is_of_gpu = metric == Metric::Mfu || metric.name().starts_with("gpu_");
        if is_on_gpu || !is_of_gpu {
            let value = if metric.unit() == Unit::Share {
                0.5
            } else {
                1.0
            };
            sample.set(metric, value);
        }
    }
    sample
}
