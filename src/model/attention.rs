//! What the tokens of one sequence attend to.

use super::{Model, ModelError};
use crate::batch::PackedBatch;

impl Model {
    /// Calls `visit` with what each token of a sequence of T tokens, BOS and EOS included, attends to each with, layer
    /// by layer: `[heads, T, T]`, row by row, in f32.
    ///
    /// # Errors
    /// If the device fails.
    pub fn attention(
        &self,
        sequence: &[u8],
        visit: &mut dyn FnMut(&[f32]),
    ) -> Result<(), ModelError> {
        self.first().attention(&PackedBatch::alone(sequence), visit)
    }

    /// Heads of a layer.
    pub fn n_heads(&self) -> usize {
        self.config.n_heads
    }
}
