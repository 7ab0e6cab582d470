//! The tokens of a packed batch, where the device can read them.

use super::Segments;
use crate::device::{Chosen, DeviceError};
use burn::tensor::DType;

/// The tokens of a packed batch, where the device can read them.
pub struct Tokens {
    /// `[T]`, and rows of padding behind them.
    input_ids: Vec<i32>,
    segments: Segments,
}

/// What a [`Stager`] has to know.
#[derive(Clone, Copy, Debug)]
pub struct StagerOptions {
    /// Tokens of the largest batch.
    pub token_budget: usize,
    /// Batches that may be on their way at the same time: from packing to when the last operation on
    /// them is enqueued.
    pub n_slots: usize,
    /// The test mode in which memory of batches is overwritten as soon as it may be: a batch that
    /// is read too early or too late then fails or gives other embeddings.
    pub poisoned: bool,
}

/// Brings batches to the device. It may live on another thread than the model.
pub struct Stager {
    #[cfg(feature = "cuda")]
    cuda: Option<super::cuda::Stager>,
}

impl Stager {
    /// For a model that computes on `chosen` in `dtype`, with heads of dimension `head_dim`.
    ///
    /// # Errors
    /// If the device has no memory for the batches.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
    pub fn new(
        chosen: &Chosen,
        dtype: DType,
        head_dim: usize,
        options: StagerOptions,
    ) -> Result<Self, DeviceError> {
        Ok(Self {
            #[cfg(feature = "cuda")]
            cuda: chosen
                .gpu
                .as_ref()
                .map(|gpu| super::cuda::Stager::new(gpu.ordinal, dtype, head_dim, options))
                .transpose()?,
        })
    }

    /// For batches that stay in main memory.
    pub fn host() -> Self {
        Self {
            #[cfg(feature = "cuda")]
            cuda: None,
        }
    }

    /// Brings a batch on its way: token ids, `[T]`, and where sequences begin and end, `[n + 1]`. Ids
    /// behind the last sequence are rows of padding: they are computed and looked at by nobody.
    /// Waits while all slots are in use.
    ///
    /// # Errors
    /// If the copy to the device cannot be started.
    pub fn stage(&self, input_ids: Vec<i32>, cu_seqlens: &[i32]) -> Result<Tokens, DeviceError> {
        let segments = Segments::new(cu_seqlens);
        #[cfg(feature = "cuda")]
        let segments = match &self.cuda {
            Some(cuda) => segments.on_gpu(cuda.stage(&input_ids, cu_seqlens)?),
            None => segments,
        };
        Ok(Tokens {
            input_ids,
            segments,
        })
    }
}

impl Tokens {
    /// Where each sequence lies.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The token ids, `[T]`, and those of rows of padding behind them.
    pub fn input_ids(&self) -> &[i32] {
        &self.input_ids
    }
}
