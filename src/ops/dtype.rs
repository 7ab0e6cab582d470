//! Number formats as burn knows them, and numbers brought into them.

use crate::{
    device::{Chosen, ChosenGpu, amx},
    job::Dtype,
};
use burn::tensor::{DType, Device, Tensor, TensorData};
use half::{bf16, f16};
use rayon::prelude::*;
use std::borrow::Cow;

/// What this machine's CPU lacks to compute in `dtype`, for people.
pub fn lacking(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F32 => None,
        Dtype::F16 => Some("that takes a GPU"),
        Dtype::Bf16 => amx::lacking(),
        Dtype::Int8 => Some(TAKES_HOPPER),
    }
}

/// What has products of 8-bit numbers.
const TAKES_HOPPER: &str =
    "that takes a GPU of compute capability 9.0 (Hopper), such as an H100 or an H200";

/// What this GPU lacks to compute in `dtype`, for people.
pub fn gpu_lacks(gpu: &ChosenGpu, dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F32 | Dtype::F16 | Dtype::Bf16 => None,
        // The kernels are written for this one: `wgmma` came with it, and went with it.
        Dtype::Int8 => (gpu.capability != (9, 0)).then_some(TAKES_HOPPER),
    }
}

/// The number format of activations of a model that computes in `dtype` on `chosen`. On the CPU only products of
/// linear layers are of numbers in another format than f32.
pub fn activations(chosen: &Chosen, dtype: Dtype) -> Dtype {
    match chosen.gpu {
        Some(_) => dtype.activations(),
        None => Dtype::F32,
    }
}

/// The numbers of a tensor in main memory, in the format that it will have.
#[derive(Clone, Debug)]
pub struct Numbers<const D: usize> {
    data: TensorData,
    shape: [usize; D],
    dtype: Dtype,
}

impl<const D: usize> Numbers<D> {
    /// Numbers row by row, rounded to the nearest in the format `dtype`.
    ///
    /// # Panics
    /// If that is int8, where numbers have scales beside them: see `QuantisedWeights`.
    pub fn new<'a>(values: impl Into<Cow<'a, [f32]>>, shape: [usize; D], dtype: Dtype) -> Self {
        let values = values.into();
        let n = values.len();
        let data = match dtype {
            Dtype::F32 => TensorData::new(values.into_owned(), [n]),
            Dtype::F16 => TensorData::new(rounded(&values, f16::from_f32), [n]),
            Dtype::Bf16 => TensorData::new(rounded(&values, bf16::from_f32), [n]),
            Dtype::Int8 => unreachable!("numbers of 8 bits are kept with their scales"),
        };
        Self { data, shape, dtype }
    }

    /// The tensor on `device`.
    pub fn on(self, device: &Device) -> Tensor<D> {
        // A GPU's rows would be padded if the data had them; reshaping keeps memory as it is.
        let flat = Tensor::<1>::from_data(self.data, (device, to_burn(self.dtype)));
        flat.reshape(self.shape)
    }
}

/// A tensor on `device` in the format `dtype`, from its numbers row by row, rounded to the nearest.
pub fn tensor<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
    dtype: Dtype,
) -> Tensor<D> {
    Numbers::new(values, shape, dtype).on(device)
}

fn rounded<T: Send>(values: &[f32], round: fn(f32) -> T) -> Vec<T> {
    values.par_iter().map(|&value| round(value)).collect()
}

/// burn's name of a format.
pub(super) fn to_burn(dtype: Dtype) -> DType {
    match dtype {
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::Bf16 => DType::BF16,
        Dtype::Int8 => DType::I8,
    }
}

/// The format that burn calls so, if models compute in it.
#[cfg(feature = "cuda")]
pub(super) fn from_burn(dtype: DType) -> Option<Dtype> {
    let mut all = Dtype::ALL.into_iter();
    all.find(|&ours| to_burn(ours) == dtype)
}
