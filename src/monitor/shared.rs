//! What the stages and the sampling thread of a run share.

use super::{RunFacts, recorder::RunRecorder, sampler::Sampler};
use crate::meter::{Meters, Reading, Sample};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64},
};

/// What the stages and the sampling thread of a run share.
pub(super) struct Shared {
    pub(super) meters: Arc<Meters>,
    pub(super) recorder: RunRecorder,
    pub(super) facts: Arc<RunFacts>,
    pub(super) metrics_every: u64,
    /// Batches that came back.
    pub(super) n_batches: AtomicU64,
    /// All meters when the first batch was there: what came before is not the pipeline's fault.
    pub(super) began: OnceLock<Reading>,
    /// Takes the samples for lines of measurements.
    pub(super) by_batch: Mutex<Sampler>,
    /// The latest figures of GPU and host.
    pub(super) latest: Mutex<Option<Sample>>,
    /// The thread is to end.
    pub(super) is_over: AtomicBool,
}

impl Shared {
    /// A sample of the stages with the latest figures of GPU and host.
    pub(super) fn with_latest(&self, mut sample: Sample) -> Sample {
        if let Some(latest) = &*self.latest.lock().unwrap_or_else(PoisonError::into_inner) {
            sample.adopt_machine(latest);
        }
        sample
    }
}
