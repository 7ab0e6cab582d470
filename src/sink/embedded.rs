//! The embeddings of a batch.

use crate::batch::Row;

/// Sequences and their embeddings. n is the number of sequences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddedBatch {
    /// The sequences, `[n]`.
    pub rows: Vec<Row>,
    /// Their embeddings, `[n, layers, hidden_size]`.
    pub embeddings: Vec<f32>,
}
