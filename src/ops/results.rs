//! Results on their way from the device to main memory.

use super::{Tokens, tokens::Place};
use crate::{
    batch::{SpareValues, Values},
    device::{BatchMarks, Cores, DeviceError},
    job::OutputDtype,
};
use burn::tensor::{DType, Tensor};
#[cfg(feature = "cuda")]
use half::slice::HalfFloatSliceExt as _;
#[cfg(feature = "cuda")]
use rayon::prelude::*;
use std::{
    panic::{self, AssertUnwindSafe},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

/// The results of a batch: computed, or on their way to main memory. They may be waited for on
/// another thread than the model's.
pub struct Results(State);

enum State {
    /// In main memory, row by row, computed between two moments.
    Here(Vec<Values>, Instant, Instant),
    /// Being computed on the cores of the CPU, which send them, or what a panic left.
    Computing(Receiver<thread::Result<Result<Results, DeviceError>>>),
    /// Lost on their way.
    Never(DeviceError),
    /// Still to be computed and copied, each in its format.
    #[cfg(feature = "cuda")]
    Coming(crate::device::cuda::Download, Vec<OutputDtype>),
}

impl Results {
    /// Results that are in main memory, row by row, since this moment. The work on them began at `start`.
    pub fn here(values: Vec<Values>, start: Instant) -> Self {
        Self(State::Here(values, start, Instant::now()))
    }

    /// Results of a batch of so many tokens, which `cores` compute meanwhile. A panic of `compute` goes on where they are waited for.
    pub fn on(
        cores: &Cores,
        n_tokens: usize,
        compute: impl FnOnce() -> Result<Self, DeviceError> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel();
        cores.spawn(n_tokens, move || {
            // What a panic leaves half done is this batch's own.
            let result = panic::catch_unwind(AssertUnwindSafe(compute));
            // Nobody waits for a batch of a run that has ended.
            let _ = sender.send(result);
        });
        Self(State::Computing(receiver))
    }

    /// Results that are lost on their way: whoever waits for them gets `error`.
    pub fn never(error: DeviceError) -> Self {
        Self(State::Never(error))
    }

    /// Ends a batch: brings `tensors`, which are in formats that are written, to main memory. The work on the
    /// batch began at `start`.
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
                Ok(Self::here(values, start))
            }
            #[cfg(feature = "cuda")]
            Place::Gpu(batch) => {
                let download = super::cuda::download(&tensors, batch)?;
                let dtypes = tensors.iter().map(dtype).collect();
                Ok(Self(State::Coming(download, dtypes)))
            }
        }
    }

    /// Waits for the results: the numbers of each tensor, row by row, and when they were computed. They lie in `spare`
    /// memory where there is some.
    ///
    /// # Errors
    /// If computing or copying them failed.
    pub fn wait(self, spare: &SpareValues) -> Result<(Vec<Values>, BatchMarks), DeviceError> {
        match self.0 {
            State::Here(values, start, end) => Ok((values, BatchMarks::host(start, end))),
            State::Computing(receiver) => match receiver.recv() {
                Ok(Ok(results)) => results?.wait(spare),
                Ok(Err(panic)) => panic::resume_unwind(panic),
                Err(_) => Err(DeviceError::Abandoned),
            },
            State::Never(error) => Err(error),
            #[cfg(feature = "cuda")]
            State::Coming(download, dtypes) => {
                let copy = |number: usize, bytes: &[u8]| of_bytes(bytes, dtypes[number], spare);
                let (values, marks) = download.wait(copy)?;
                Ok((values, BatchMarks::cuda(marks)))
            }
        }
    }
}

/// Numbers as they lie in memory.
#[cfg(feature = "cuda")]
fn of_bytes(bytes: &[u8], dtype: OutputDtype, spare: &SpareValues) -> Values {
    let mut values = spare.take(dtype, bytes.len() / dtype.bytes());
    match &mut values {
        Values::F16(values) => copy(bytes, values.reinterpret_cast_mut(), u16::from_ne_bytes),
        Values::F32(values) => copy(bytes, values, f32::from_ne_bytes),
    }
    values
}

/// Copies the numbers that some bytes are, by several threads where they are many: memory that the system has yet to
/// give page by page takes most of the time.
#[cfg(feature = "cuda")]
fn copy<T: Send, const N: usize>(bytes: &[u8], numbers: &mut [T], of_bytes: fn([u8; N]) -> T) {
    /// Numbers that a thread copies at a time.
    const PIECE: usize = 1 << 19;
    let (words, _) = bytes.as_chunks::<N>();
    let copy = |(to, from): (&mut [T], &[[u8; N]])| {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = of_bytes(from);
        }
    };
    if words.len() <= PIECE {
        copy((numbers, words));
    } else {
        let pieces = numbers.par_chunks_mut(PIECE);
        pieces.zip(words.par_chunks(PIECE)).for_each(copy);
    }
}

/// The format of a tensor that is to be written.
fn dtype(tensor: &Tensor<2>) -> OutputDtype {
    match tensor.dtype() {
        DType::F16 => OutputDtype::F16,
        _ => OutputDtype::F32,
    }
}

/// The numbers of a tensor, row by row, in half precision where it has that, else in f32. Waits for them.
///
/// # Errors
/// If computing them failed.
pub fn values(tensor: Tensor<2>) -> Result<Values, DeviceError> {
    let failed = |reason: String| DeviceError::Cuda {
        doing: "compute a tensor",
        reason,
    };
    let dtype = dtype(&tensor);
    let data = tensor
        .try_into_data()
        .map_err(|error| failed(format!("{error:?}")))?;
    let values = match dtype {
        OutputDtype::F16 => data.try_into_vec().map(Values::F16),
        OutputDtype::F32 => data.convert::<f32>().try_into_vec().map(Values::F32),
    };
    values.map_err(|error| failed(format!("{error:?}")))
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::*;
    use half::f16;

    #[test]
    fn numbers_are_copied_whole_however_many_there_are() {
        let spare = SpareValues::default();
        for n in [0, 1, 1000, (1 << 19) + 1, (1 << 20) + 7, 1 << 20] {
            let halves: Vec<f16> = (0..n).map(|n| f16::from_bits((n * 7) as u16)).collect();
            let bytes: Vec<u8> = halves.iter().flat_map(|x| x.to_ne_bytes()).collect();
            let Values::F16(copied) = of_bytes(&bytes, OutputDtype::F16, &spare) else {
                panic!("f16 stays f16");
            };
            assert!(
                copied
                    .iter()
                    .map(|x| x.to_bits())
                    .eq(halves.iter().map(|x| x.to_bits()))
            );
            let singles: Vec<f32> = (0..n).map(|n| n as f32).collect();
            let bytes: Vec<u8> = singles.iter().flat_map(|x| x.to_ne_bytes()).collect();
            assert!(of_bytes(&bytes, OutputDtype::F32, &spare) == Values::F32(singles));
        }
    }
}
