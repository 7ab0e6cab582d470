//! Results on their way from the device to main memory.

use super::{Tokens, tokens::Place};
use crate::device::{BatchMarks, DeviceError};
use burn::tensor::Tensor;
use std::time::Instant;

/// The results of a batch: computed, or on their way to main memory. They may be waited for on
/// another thread than the model's.
pub struct Results(State);

enum State {
    /// In main memory, row by row, after so many seconds.
    Here(Vec<Vec<f32>>, f64),
    /// Lost on their way.
    Never(DeviceError),
    /// Still to be computed and copied.
    #[cfg(feature = "cuda")]
    Coming(crate::device::cuda::Download),
}

impl Results {
    /// Results that are in main memory, row by row, after so many seconds of computing.
    pub fn here(values: Vec<Vec<f32>>, seconds: f64) -> Self {
        Self(State::Here(values, seconds))
    }

    /// Results that are lost on their way: whoever waits for them gets `error`.
    pub fn never(error: DeviceError) -> Self {
        Self(State::Never(error))
    }

    /// Ends a batch: brings `tensors`, which are f32 where the batch is on a GPU, to main memory. The
    /// work on the batch began at `start`.
    ///
    /// # Errors
    /// If the device has no memory left.
    pub fn start(
        tensors: Vec<Tensor<2>>,
        tokens: &Tokens,
        start: Instant,
    ) -> Result<Self, DeviceError> {
        match &tokens.place {
            Place::Host => {
                let values = tensors.into_iter().map(values);
                let values = values.collect::<Result<_, _>>()?;
                Ok(Self::here(values, start.elapsed().as_secs_f64()))
            }
            #[cfg(feature = "cuda")]
            Place::Gpu(batch) => {
                let download = super::cuda::download(&tensors, batch)?;
                Ok(Self(State::Coming(download)))
            }
        }
    }

    /// Waits for the results: the numbers of each tensor, row by row, and when they were computed.
    ///
    /// # Errors
    /// If computing or copying them failed.
    pub fn wait(self) -> Result<(Vec<Vec<f32>>, BatchMarks), DeviceError> {
        match self.0 {
            State::Here(values, seconds) => Ok((values, BatchMarks::host(seconds))),
            State::Never(error) => Err(error),
            #[cfg(feature = "cuda")]
            State::Coming(download) => {
                let (values, marks) = download.wait()?;
                let values = values.iter().map(|bytes| {
                    let (words, _) = bytes.as_chunks::<4>();
                    words.iter().map(|&word| f32::from_ne_bytes(word)).collect()
                });
                Ok((values.collect(), BatchMarks::cuda(marks)))
            }
        }
    }
}

/// The numbers of a tensor, row by row, in f32. Waits for them.
///
/// # Errors
/// If computing them failed.
pub fn values(tensor: Tensor<2>) -> Result<Vec<f32>, DeviceError> {
    let failed = |reason: String| DeviceError::Cuda {
        doing: "compute a tensor",
        reason,
    };
    let data = tensor
        .try_into_data()
        .map_err(|error| failed(format!("{error:?}")))?;
    let data = data.convert::<f32>();
    data.try_into_vec()
        .map_err(|error| failed(format!("{error:?}")))
}
