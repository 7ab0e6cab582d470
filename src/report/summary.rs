//! The figures of one call of `embed`.

use super::{LaneSummary, RunDetails};
use crate::{job::Shard, meter::Bottleneck};
use serde::Serialize;
use std::{path::PathBuf, sync::Arc};

/// The figures of one call of `embed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RunSummary {
    /// The model, for people.
    pub model: String,
    /// Where the model ran, for people.
    pub device: String,
    /// The number format of weights and activations.
    pub dtype: String,
    /// The least cosine of the pooled vectors in int8 of a protein that comes with the program with those in bf16,
    /// when the model was loaded, if it is in int8.
    pub accuracy: Option<f64>,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// The columns of the output, with the shape of what a sequence has in each.
    pub columns: String,
    /// Which part of the records the run is about, if it is not all of them.
    pub shard: Option<Shard>,
    /// Reader subprocesses.
    pub readers: usize,
    /// Batches that could wait for the encoder.
    pub prefetch: usize,
    /// Tokens that a batch could hold.
    pub token_budget: usize,
    /// Records read, which is embedded plus rejected.
    pub records: u64,
    /// Sequences embedded.
    pub sequences: u64,
    /// Records that a policy rejected.
    pub rejected: u64,
    /// Sequences of which only the first residues were embedded.
    pub truncated: u64,
    /// Residues embedded.
    pub residues: u64,
    /// Tokens embedded: residues, and BOS and EOS of each sequence.
    pub tokens: u64,
    /// Batches.
    pub batches: u64,
    /// Tokens over token budget, over all batches, from 0 to 1.
    pub packing_fill: f64,
    /// Rows of the output that were there before the run, of which nothing was computed.
    pub resumed: u64,
    /// Records that were rejected before the run.
    pub resumed_rejected: u64,
    /// Wall-clock seconds from the call to the published output.
    pub seconds: f64,
    /// Seconds that the encoder computed, by the device's own clock where it has one.
    pub encoder_seconds: f64,
    /// Seconds that the encoding stage waited for a batch. On a GPU it runs ahead of the computing,
    /// so waiting does no harm as long as the GPU is not idle.
    pub wait_seconds: f64,
    /// Useful TFLOP per second while the encoder computed; see [`Model::flops`].
    ///
    /// [`Model::flops`]: crate::model::Model::flops
    pub tflops: Option<f64>,
    /// The same as a share of the GPU's dense peak in the number format, from 0 to 1 (model FLOP
    /// utilisation), where that peak is known.
    pub mfu: Option<f64>,
    /// The share of the time during which any kernel ran, by NVML, from 0 to 1.
    pub gpu_utilization: Option<f64>,
    /// Joules that all GPUs took, by their own counters or else added up from their power, from when NVML had been opened, which is soon
    /// after the beginning, until the last stage had ended. Nothing where a GPU does not tell them, and
    /// for runs that end before the first sample.
    pub energy_joules: Option<f64>,
    /// What a GPU measured.
    pub gpu: Option<GpuSummary>,
    /// The figures of each lane.
    pub lanes: Vec<LaneSummary>,
    /// Readers that had to be replaced.
    pub reader_restarts: u64,
    /// Devices that failed, whose batches the others took over.
    pub failed_lanes: u64,
    /// The largest resident memory of this process so far, in bytes.
    pub peak_memory_bytes: u64,
    /// The output file.
    pub output: Option<PathBuf>,
    /// The file that lists the rejected records, if there is one.
    pub rejects: Option<PathBuf>,
    /// What held the run back, if there were enough batches to tell.
    pub bottleneck: Option<Bottleneck>,
    /// What a report shows beside these figures.
    #[serde(skip)]
    pub details: Arc<RunDetails>,
}

/// What a GPU measured during a run, by its own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GpuSummary {
    /// Seconds between the first batch and the last without anything to compute.
    pub idle_seconds: f64,
    /// Seconds that copies of batches to the GPU took, all but the first batch's.
    pub upload_seconds: f64,
    /// The part of them for which the GPU had to wait.
    pub exposed_upload_seconds: f64,
    /// Bytes of the GPU's memory that the model and its batches took.
    pub memory_bytes: u64,
}

impl RunSummary {
    /// The figures of a run of one sequence that nobody made, which took a second. None is zero that a
    /// script might divide by, and those of a GPU are there if there would be one.
    pub fn made_up(is_on_gpu: bool) -> Self {
        let on_gpu = |figure: f64| is_on_gpu.then_some(figure);
        Self {
            records: 1,
            sequences: 1,
            residues: 100,
            tokens: 102,
            batches: 1,
            packing_fill: 0.5,
            seconds: 1.0,
            encoder_seconds: 0.5,
            wait_seconds: 0.01,
            tflops: Some(0.01),
            accuracy: on_gpu(0.9995),
            mfu: on_gpu(0.5),
            gpu_utilization: on_gpu(0.5),
            energy_joules: on_gpu(100.0),
            gpu: is_on_gpu.then_some(GpuSummary {
                idle_seconds: 0.01,
                upload_seconds: 0.01,
                exposed_upload_seconds: 0.001,
                memory_bytes: 1 << 30,
            }),
            lanes: vec![LaneSummary::made_up(is_on_gpu)],
            peak_memory_bytes: 1 << 26,
            ..Self::default()
        }
    }

    /// The share of the time from the first batch to the last during which a GPU had nothing to
    /// compute, from 0 to 1. `None` on the CPU.
    pub fn gpu_idle(&self) -> Option<f64> {
        let gpu = self.gpu?;
        Some(share(
            gpu.idle_seconds,
            gpu.idle_seconds + self.encoder_seconds,
        ))
    }

    /// The share of the copies to a GPU, all but the first batch's, that it did not have to wait
    /// for, from 0 to 1. `None` on the CPU and where there is no second batch.
    pub fn upload_hidden(&self) -> Option<f64> {
        let gpu = self.gpu.filter(|gpu| gpu.upload_seconds > 0.0)?;
        Some(1.0 - share(gpu.exposed_upload_seconds, gpu.upload_seconds))
    }

    /// Tokens embedded per second of computing.
    pub fn encoder_tokens_per_sec(&self) -> f64 {
        per_second(self.tokens, self.encoder_seconds)
    }

    /// Sequences embedded per wall-clock second.
    pub fn sequences_per_sec(&self) -> f64 {
        per_second(self.sequences, self.seconds)
    }

    /// Tokens embedded per wall-clock second.
    pub fn tokens_per_sec(&self) -> f64 {
        per_second(self.tokens, self.seconds)
    }

    /// Residues embedded per wall-clock second.
    pub fn residues_per_sec(&self) -> f64 {
        per_second(self.residues, self.seconds)
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

fn per_second(n: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        n as f64 / seconds
    } else {
        0.0
    }
}
