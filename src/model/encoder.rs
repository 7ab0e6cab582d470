//! What a model does with a batch, whatever it computes on.

use crate::{
    cancel::Abandonment,
    device::DeviceError,
    job::Pooling,
    ops::{Results, Tokens},
};

/// Turns batches into embeddings. It may live on any thread.
pub(super) trait Encoder: Send + Sync {
    /// Starts to compute one matrix a layer, in the order of `layers`: a vector a sequence,
    /// `[n, hidden]`, row by row. `layers` are indices of hidden states, from 0 to the number of
    /// transformer layers. Where nobody wants the work any more it gives up in the middle of it.
    fn submit(
        &self,
        tokens: &Tokens,
        layers: &[usize],
        pooling: Pooling,
        abandonment: &Abandonment,
    ) -> Result<Results, DeviceError>;

    /// The vector of every token of the batch at one hidden state, `[T, hidden]`, row by row. Rows
    /// of padding may follow.
    fn encode_tokens(&self, tokens: &Tokens, layer: usize) -> Result<Vec<f32>, DeviceError>;
}
