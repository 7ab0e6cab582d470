//! What the pipeline keeps of a batch while a model works on its tokens.

use crate::batch::{PackedBatch, Row};

/// A packed batch, and its number among those of the run, from 0.
pub(in super::super) struct NumberedBatch {
    pub(in super::super) number: u64,
    pub(in super::super) batch: PackedBatch,
}

/// What the pipeline keeps of a batch while a model works on its tokens.
pub(super) struct Ticket {
    /// The number of the batch among those of the run.
    pub(super) number: u64,
    /// The sequences, in the order of the batch.
    pub(super) rows: Vec<Row>,
    /// Tokens, BOS and EOS included.
    pub(super) n_tokens: usize,
    /// Useful floating-point operations.
    pub(super) flops: f64,
}
