//! What a model does with a batch, whatever it computes on.

use crate::{
    cancel::Abandonment,
    device::DeviceError,
    job::Question,
    ops::{Results, Tokens},
};

/// Answers questions about batches. It may live on any thread.
pub(super) trait Encoder: Send + Sync {
    /// Starts to compute the answer: a matrix for each column of the question, in their order and in their
    /// number formats. The rows of all sequences stand one below the other. Where nobody wants the work any more
    /// it gives up in the middle of it.
    fn submit(
        &self,
        tokens: &Tokens,
        question: &Question,
        abandonment: &Abandonment,
    ) -> Result<Results, DeviceError>;

    /// Calls `visit` with what each token of a batch of one sequence attends to each with, layer by layer: `[heads, T,
    /// T]`.
    fn attention(&self, tokens: &Tokens, visit: &mut dyn FnMut(&[f32])) -> Result<(), DeviceError>;
}
