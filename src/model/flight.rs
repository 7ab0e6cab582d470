//! A batch on its way: staged on the device, being computed, and back.

use super::{Model, ModelError};
use crate::{
    alphabet::PAD,
    batch::{PackedBatch, Row},
    device::BatchMarks,
    ops::{self, Results, Tokens},
};

/// Brings batches to a model's device. It may live on another thread than the model.
pub struct Stager(ops::Stager);

/// A batch on its way to the device, or there.
pub struct StagedBatch {
    pub(super) tokens: Tokens,
    rows: Vec<Row>,
    n_tokens: usize,
}

/// A batch that is being computed.
pub struct InFlight {
    rows: Vec<Row>,
    n_tokens: usize,
    results: Results,
    hidden_size: usize,
    flops: f64,
    dtype: &'static str,
}

/// A batch that was computed. Nobody has looked at its vectors yet.
pub struct Computed {
    rows: Vec<Row>,
    n_tokens: usize,
    /// One `[n, hidden]` a layer.
    layers: Vec<Vec<f32>>,
    marks: BatchMarks,
    hidden_size: usize,
    flops: f64,
    dtype: &'static str,
}

/// A batch that was embedded. n is its number of sequences.
pub struct Encoded {
    /// The sequences, `[n]`.
    pub rows: Vec<Row>,
    /// Their embeddings, `[n, layers, hidden]`, row by row, in f32.
    pub embeddings: Vec<f32>,
    /// Tokens of the batch, BOS and EOS included.
    pub n_tokens: usize,
    /// Useful floating-point operations of computing it.
    pub flops: f64,
    /// When the device computed it.
    pub marks: BatchMarks,
}

impl Stager {
    pub(super) fn new(inner: ops::Stager) -> Self {
        Self(inner)
    }

    /// Brings a batch on its way. Waits while as many batches as there are slots are on their way.
    ///
    /// # Errors
    /// If the copy to the device cannot be started.
    pub fn stage(&self, batch: PackedBatch) -> Result<StagedBatch, ModelError> {
        let n_tokens = batch.n_tokens();
        let mut input_ids = batch.input_ids;
        input_ids.resize(n_tokens + batch.n_padding, PAD);
        Ok(StagedBatch {
            tokens: self.0.stage(input_ids, &batch.cu_seqlens)?,
            rows: batch.rows,
            n_tokens,
        })
    }
}

impl StagedBatch {
    /// Tokens of the batch, BOS and EOS included.
    pub fn n_tokens(&self) -> usize {
        self.n_tokens
    }

    /// Sequences in the batch.
    pub fn n_sequences(&self) -> usize {
        self.rows.len()
    }
}

impl InFlight {
    pub(super) fn new(batch: StagedBatch, results: Results, model: &Model) -> Self {
        let lengths = batch.tokens.segments().ranges();
        Self {
            flops: model.flops(lengths.map(|range| range.len())),
            rows: batch.rows,
            n_tokens: batch.n_tokens,
            results,
            hidden_size: model.hidden_size(),
            dtype: model.dtype().name(),
        }
    }

    /// Sequences in the batch.
    pub fn n_sequences(&self) -> usize {
        self.rows.len()
    }

    /// Waits until the vectors are in main memory.
    ///
    /// # Errors
    /// If the device failed.
    pub fn wait(self) -> Result<Computed, ModelError> {
        let (layers, marks) = self.results.wait()?;
        Ok(Computed {
            rows: self.rows,
            n_tokens: self.n_tokens,
            layers,
            marks,
            hidden_size: self.hidden_size,
            flops: self.flops,
            dtype: self.dtype,
        })
    }
}

impl Computed {
    /// Lays the vectors of each sequence side by side.
    ///
    /// # Errors
    /// If a vector is not finite; the sequence is named.
    pub fn check(self) -> Result<Encoded, ModelError> {
        let mut layers = self.layers;
        let embeddings = match layers.len() {
            1 => layers.remove(0),
            _ => side_by_side(&layers, self.hidden_size),
        };
        let width = embeddings.len() / self.rows.len().max(1);
        for (row, vector) in self.rows.iter().zip(embeddings.chunks_exact(width.max(1))) {
            if !vector.iter().all(|x| x.is_finite()) {
                return Err(ModelError::NotFinite {
                    id: row.id.clone(),
                    length: row.length,
                    dtype: self.dtype,
                });
            }
        }
        Ok(Encoded {
            rows: self.rows,
            embeddings,
            n_tokens: self.n_tokens,
            flops: self.flops,
            marks: self.marks,
        })
    }
}

/// From one `[n, hidden]` a layer to `[n, layers, hidden]`.
fn side_by_side(layers: &[Vec<f32>], hidden_size: usize) -> Vec<f32> {
    let n = layers.first().map_or(0, |layer| layer.len() / hidden_size);
    let rows = (0..n).flat_map(|row| {
        let vectors = layers.iter();
        vectors.flat_map(move |layer| &layer[row * hidden_size..][..hidden_size])
    });
    rows.copied().collect()
}
