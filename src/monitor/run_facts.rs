//! What samples and the verdict need to know of a run beside its meters.

use crate::job::{Shard, Thresholds};

/// What samples and the verdict need to know of a run beside its meters.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// From which figures on the run counts as held back.
    pub thresholds: Thresholds,
    /// Which part of the records it embeds, if it is not all of them.
    pub shard: Option<Shard>,
    /// What computes, a lane each: all devices of the model, so that the number of a lane is the same in all runs.
    pub lanes: Vec<LaneFacts>,
    /// GPUs of the same kind that are there beside it, where the choice of the device was the program's.
    pub n_gpus_left_over: usize,
    /// Reader subprocesses.
    pub n_readers: usize,
    /// Input files.
    pub n_inputs: usize,
    /// Whether an input is a pipe.
    pub is_stream: bool,
    /// Whether there is an input that several readers can read at the same time.
    pub is_shareable: bool,
    /// Whether batches are brought to the device while it computes others.
    pub has_overlap: bool,
    /// Tokens that a batch may hold.
    pub token_budget: usize,
    /// Whether sequences are packed, rather than padded.
    pub is_packed: bool,
}

/// What is to be known of a lane.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaneFacts {
    /// Its device in a word, for people: no other lane has the same.
    pub device: String,
    /// Its GPU, if its device is one: a GPU computes beside this process.
    pub gpu: Option<GpuFacts>,
    /// Whether it computes batches beside the thread that gives it batches, and tells when it did.
    pub computes_beside: bool,
    /// Whether it takes no part in the run, as its device failed before.
    pub is_absent: bool,
}

/// What is to be known of a GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuFacts {
    /// By which NVML finds it, as CUDA writes it.
    pub uuid: String,
    /// Its model, as the driver gives it.
    pub name: String,
    /// FLOP per second that it could do at most, where that is known.
    pub peak_flops: Option<f64>,
}

impl RunFacts {
    /// Whether the devices are GPUs. The lanes of a run have devices of one kind.
    pub(super) fn is_gpu(&self) -> bool {
        self.lanes.iter().any(|lane| lane.gpu.is_some())
    }

    /// Whether the devices compute beside the threads that give them batches.
    pub(super) fn computes_beside(&self) -> bool {
        self.lanes.iter().any(|lane| lane.computes_beside)
    }

    /// FLOP that all devices could do at most in so many seconds of each, where that is known.
    pub(super) fn possible_flops(&self, seconds: impl IntoIterator<Item = f64>) -> Option<f64> {
        let lanes = self.lanes.iter().zip(seconds);
        lanes
            .map(|(lane, seconds)| lane.possible_flops(seconds))
            .sum()
    }
}

impl LaneFacts {
    /// FLOP that the device could do at most in so many seconds, where that is known.
    pub(super) fn possible_flops(&self, seconds: f64) -> Option<f64> {
        Some(self.gpu.as_ref()?.peak_flops? * seconds)
    }
}
