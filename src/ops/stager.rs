//! The way of batches to the device.

use super::{Segments, StagerOptions, Tokens, tokens::Place};
use crate::{
    device::{Chosen, DeviceError},
    job::Dtype,
};

/// Brings batches to the device. Any thread may use it, and several at once.
pub struct Stager(Way);

enum Way {
    /// Batches stay in main memory.
    Host,
    /// They are copied to a GPU.
    #[cfg(feature = "cuda")]
    Gpu(super::cuda::UploadStager),
}

impl Stager {
    /// For a model that computes on `chosen` in `dtype`, with heads of dimension `head_dim`.
    ///
    /// # Errors
    /// If the device has no memory for the batches.
    #[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
    pub fn new(
        chosen: &Chosen,
        dtype: Dtype,
        head_dim: usize,
        options: StagerOptions,
    ) -> Result<Self, DeviceError> {
        #[cfg(feature = "cuda")]
        if let Some(gpu) = &chosen.gpu {
            let stager = super::cuda::UploadStager::new(gpu.ordinal, dtype, head_dim, options)?;
            return Ok(Self(Way::Gpu(stager)));
        }
        Ok(Self::host())
    }

    /// For batches that stay in main memory.
    pub fn host() -> Self {
        Self(Way::Host)
    }

    /// Brings a batch on its way: token ids, `[T]`, and where sequences begin and end, `[n + 1]`. Ids
    /// behind the last sequence are rows of padding: they are computed and looked at by nobody.
    /// Waits while all slots are in use.
    ///
    /// # Errors
    /// If the copy to the device cannot be started.
    pub fn stage(&self, input_ids: Vec<i32>, cu_seqlens: &[i32]) -> Result<Tokens, DeviceError> {
        let segments = Segments::new(cu_seqlens);
        let place = match &self.0 {
            Way::Host => Place::Host,
            #[cfg(feature = "cuda")]
            Way::Gpu(stager) => Place::Gpu(stager.stage(&input_ids, cu_seqlens)?.into()),
        };
        Ok(Tokens {
            input_ids,
            segments,
            place,
        })
    }
}
