//! What the pipeline keeps of a batch while a model works on its tokens.

use crate::batch::PackedBatch;

/// A packed batch, and its number among those of the run, from 0.
pub(in super::super) struct NumberedBatch {
    pub(in super::super) number: u64,
    pub(in super::super) batch: PackedBatch,
}

/// What the pipeline keeps of a batch while a model works on its tokens.
pub(super) struct Ticket {
    /// The batch itself, for another lane if this one fails.
    pub(super) batch: NumberedBatch,
    /// Useful floating-point operations.
    pub(super) flops: f64,
}
