//! The tokens of a packed batch, where the device can read them.

use super::Segments;
#[cfg(feature = "cuda")]
use super::cuda::Batch;

/// The tokens of a packed batch, where the device can read them.
pub struct Tokens {
    /// `[T]`, and rows of padding behind them.
    pub(super) input_ids: Vec<i32>,
    pub(super) segments: Segments,
    pub(super) place: Place,
}

/// Where a batch lies beside main memory.
pub(super) enum Place {
    /// Nowhere else.
    Host,
    /// In the memory of a GPU, too.
    #[cfg(feature = "cuda")]
    Gpu(std::sync::Arc<Batch>),
}

impl Tokens {
    /// Where each sequence lies.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The same tokens, where these sequences are pieces of longer ones.
    pub fn with_pieces(self, pieces: Vec<bool>) -> Self {
        Self {
            segments: self.segments.with_pieces(pieces),
            ..self
        }
    }

    /// The token ids, `[T]`, and those of rows of padding behind them.
    pub fn input_ids(&self) -> &[i32] {
        &self.input_ids
    }

    /// The batch in the memory of the GPU.
    ///
    /// # Panics
    /// If it is not there: a model's batches are brought to where its weights are.
    #[cfg(feature = "cuda")]
    pub(super) fn gpu_batch(&self) -> &std::sync::Arc<Batch> {
        match &self.place {
            Place::Gpu(batch) => batch,
            Place::Host => panic!("a model on a GPU gets batches that were brought there"),
        }
    }
}
