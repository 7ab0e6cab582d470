//! A model on one device.

use super::{Answer, Encoder, InFlight, ModelError};
use crate::{
    alphabet::{PAD, SHORTEST_SEQUENCE},
    batch::{PackedBatch, SpareValues},
    cancel::Abandonment,
    device::{self, Chosen, Cores},
    job::{Dtype, Question},
    ops::{Results, Stager, StagerOptions, Tokens},
};
use std::{
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// Batches that wait on a GPU behind the one that it computes. One more is being waited for and one handed over, so the
/// GPU never waits for this process.
const GPU_IN_FLIGHT: usize = 2;

/// A model on one device. It may be used on any thread, by one at a time.
pub struct Replica {
    /// `None` for the mock device.
    pub(super) chosen: Option<Chosen>,
    pub(super) dtype: Dtype,
    pub(super) head_dim: usize,
    pub(super) hidden_size: usize,
    pub(super) n_layers: usize,
    /// Whether the device's memory may be too small for a batch.
    pub(super) is_memory_tried: bool,
    /// Free bytes of the GPU's memory before the weights came there.
    pub(super) free_before: Option<u64>,
    pub(super) encoder: Arc<dyn Encoder>,
    /// Why no run can use it any more.
    pub(super) lost: OnceLock<String>,
    /// What the device's memory was tried with and holds.
    pub(super) warm: Mutex<Warm>,
}

/// A batch that the memory of a device was tried with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Warm {
    token_budget: usize,
    /// Bytes of the answer.
    n_bytes: usize,
    /// The last hidden state, up to which there was anything to compute.
    deepest: usize,
}

impl Warm {
    /// Whether another batch needs no more.
    fn holds(self, other: Self) -> bool {
        self.token_budget >= other.token_budget
            && self.n_bytes >= other.n_bytes
            && self.deepest >= other.deepest
    }
}

impl Replica {
    pub(super) fn new(
        chosen: Option<Chosen>,
        dtype: Dtype,
        (hidden_size, head_dim, n_layers): (usize, usize, usize),
        encoder: Box<dyn Encoder>,
    ) -> Self {
        Self {
            is_memory_tried: chosen.as_ref().is_none_or(|chosen| chosen.gpu.is_some()),
            free_before: None,
            chosen,
            dtype,
            head_dim,
            hidden_size,
            n_layers,
            encoder: encoder.into(),
            lost: OnceLock::new(),
            warm: Mutex::default(),
        }
    }

    /// What brings batches to the device, from any thread.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub fn stager(&self, options: StagerOptions) -> Result<Stager, ModelError> {
        match &self.chosen {
            Some(chosen) => Ok(Stager::new(chosen, self.dtype, self.head_dim, options)?),
            None => Ok(Stager::host()),
        }
    }

    /// Starts to answer a question about a batch. On a GPU it only enqueues the work, and on a CPU it is other threads
    /// that compute; batches begin in the order of the calls.
    ///
    /// # Errors
    /// If the device has no memory left, or the run was abandoned meanwhile.
    pub fn submit(
        &self,
        tokens: Tokens,
        question: &Question,
        abandonment: &Abandonment,
    ) -> Result<InFlight, ModelError> {
        let places = InFlight::places(question, &tokens, self.hidden_size);
        let results = match self.cores() {
            Some(cores) => {
                let encoder = self.encoder.clone();
                let (question, abandonment) = (question.clone(), abandonment.clone());
                let n_tokens = tokens.input_ids().len();
                Results::on(cores, n_tokens, move || {
                    encoder.submit(&tokens, &question, &abandonment)
                })
            }
            // On a GPU the slot of `tokens` is free for another batch as soon as the device thread has enqueued this one.
            None => self.encoder.submit(&tokens, question, abandonment)?,
        };
        Ok(InFlight::new(results, question, places))
    }

    /// The cores that compute, if it is on the CPU.
    fn cores(&self) -> Option<&Cores> {
        self.chosen.as_ref()?.cores.as_ref()
    }

    /// Whether it computes beside the thread that gives it batches.
    pub fn computes_beside(&self) -> bool {
        self.chosen.is_some()
    }

    /// Batches that are to be under way at the same time, beside one that is waited for and one that is handed over.
    pub fn in_flight(&self) -> usize {
        match self.cores() {
            // Each has one, and one that is computed and waits for those before it, or is next.
            Some(cores) => 2 * cores.n_batches(),
            None => GPU_IN_FLIGHT,
        }
    }

    /// Computes a batch that is alone on the device.
    pub(super) fn compute(
        &self,
        batch: &PackedBatch,
        question: &Question,
    ) -> Result<Answer, ModelError> {
        let tokens = self.stage_alone(batch)?;
        self.submit(tokens, question, &Abandonment::default())?
            .wait(&SpareValues::default())
    }

    /// Calls `visit` with what each token of a batch of one sequence attends to each with, layer by layer: `[heads, T,
    /// T]`.
    pub(super) fn attention(
        &self,
        batch: &PackedBatch,
        visit: &mut dyn FnMut(&[f32]),
    ) -> Result<(), ModelError> {
        let tokens = self.stage_alone(batch)?;
        // `visit` stays on this thread, and so do the maps that it looks at.
        Ok(self.encoder.attention(&tokens, visit)?)
    }

    /// Brings a batch that is alone to the device.
    fn stage_alone(&self, batch: &PackedBatch) -> Result<Tokens, ModelError> {
        let stager = self.stager(StagerOptions {
            token_budget: batch.n_tokens() + batch.n_padding,
            n_slots: 1,
            poisoned: false,
            lost_at: None,
        })?;
        let tokens = stager.stage(padded_ids(batch), &batch.cu_seqlens)?;
        Ok(tokens.with_pieces(batch.pieces()))
    }

    /// Asks a question about a batch of `token_budget` tokens for nothing, so that memory is taken and kernels are
    /// chosen before the first real batch. Later calls that ask for no more do nothing.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`](crate::device::DeviceError::OutOfMemory) if a batch of that size
    /// does not fit; a smaller one may.
    pub fn warm_up(&self, token_budget: usize, question: &Question) -> Result<(), ModelError> {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = Warm {
            token_budget,
            n_bytes: question.most_bytes(token_budget, SHORTEST_SEQUENCE, self.hidden_size),
            deepest: question.layers(self.n_layers).last().copied().unwrap_or(0),
        };
        let is_warm = warm.holds(wanted);
        if !self.is_memory_tried || is_warm {
            return Ok(());
        }
        let mut batch = PackedBatch::synthetic(token_budget);
        if question.is_of_pieces() {
            batch.mark_as_pieces();
        }
        // It has no masks, and real ones may have many.
        let result = self.compute(&batch, &question.of_all_residues());
        if result.is_err()
            && let Some(chosen) = &self.chosen
        {
            // A smaller batch needs the memory that this one has taken.
            device::release_unused(chosen);
        }
        // Nobody looks at the vectors: its tokens may be ones that no sequence has.
        result?;
        // Of two that do not hold each other, the later one is kept.
        *warm = wanted;
        Ok(())
    }

    /// The device is lost, for the reason that is given: no later run uses it.
    pub fn mark_lost(&self, reason: &str) {
        if self.lost.set(reason.to_owned()).is_ok() {
            // A device that is lost takes nothing back, and whoever tries may fail or wait in vain: what lies
            // there stays until the process ends.
            mem::forget(self.encoder.clone());
        }
    }

    /// Why no run can use it any more.
    pub(super) fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Gives the memory that it has on the device back to the driver.
    pub(super) fn unload(self) {
        if self.lost().is_some() {
            return;
        }
        drop(self.encoder);
        if let Some(chosen) = &self.chosen {
            device::release_unused(chosen);
        }
    }

    /// Where it runs, for people.
    pub fn device(&self) -> &str {
        self.chosen.as_ref().map_or("mock", |chosen| &chosen.label)
    }

    /// Where it runs, in a word.
    pub(super) fn short_device(&self) -> String {
        match &self.chosen {
            None => "mock".to_owned(),
            Some(Chosen { gpu: None, .. }) => "cpu".to_owned(),
            Some(Chosen { gpu: Some(gpu), .. }) => format!("cuda:{}", gpu.ordinal),
        }
    }

    /// The name and the UUID of the GPU that it runs on, as the driver gives them.
    pub fn gpu(&self) -> Option<(&str, &str)> {
        let gpu = self.chosen.as_ref()?.gpu.as_ref()?;
        Some((&gpu.name, &gpu.uuid))
    }

    /// Bytes of the GPU's memory that were taken since the model began to load. Memory that a batch
    /// needed stays taken, so after a run it is the run's peak.
    pub fn gpu_memory_bytes(&self) -> Option<u64> {
        let free = device::free_bytes(self.chosen.as_ref()?)?;
        Some(self.free_before?.saturating_sub(free))
    }
}

/// The token ids of a batch, with those of rows of padding behind them.
pub fn padded_ids(batch: &PackedBatch) -> Vec<i32> {
    let n_rows = batch.n_tokens() + batch.n_padding;
    let mut input_ids = Vec::with_capacity(n_rows);
    input_ids.extend_from_slice(&batch.input_ids);
    input_ids.resize(n_rows, PAD);
    input_ids
}
