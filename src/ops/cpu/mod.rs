//! The operations on burn-flex, over its memory: threads over rows, vectors over columns.
//!
//! Whatever a row or a sequence is computed with, it gets the same bits: no sum depends on the rows beside
//! it, on threads, or on how many numbers a vector has.

mod attend;
mod attention;
mod contacts;
mod epilogue;
mod layer_norm;
mod linear;
mod packed;
mod panels;
mod pool;
mod select;
mod simd;
#[cfg(test)]
mod tests;
mod tiles;

pub(super) use attention::attention;
pub(super) use contacts::{ContactMaps, attention_maps};
pub(super) use layer_norm::layer_norm;
pub(super) use linear::{feed_forward, linear};
pub(super) use packed::Packed;
pub(super) use pool::{pool, pool_sequence};
pub(super) use select::select;

use crate::{device::spare, job::Dtype};
use burn::{
    backend::Flex,
    tensor::{DType, Tensor, TensorData},
};
use burn_flex::FlexTensor;
use pulp::{Arch, Simd, WithSimd};

/// What the bits of results depend on: whether products are rounded before they are added, which they are
/// only on a CPU for which there are no vectors, and what makes those of bf16.
pub(super) fn arithmetic(dtype: Dtype) -> String {
    match Arch::new() {
        _ if dtype == Dtype::Bf16 => "CPU AMX".to_owned(),
        Arch::Scalar => "CPU without vectors".to_owned(),
        _ => "CPU".to_owned(),
    }
}

/// Asks for the numbers in a register.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Whether `tensor` lies in main memory, in f32.
pub(super) fn is_cpu<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor.dtype() == DType::F32 && tensor.clone().try_into_primitive::<Flex>().is_ok()
}

/// The values of a tensor that [`is_cpu`], row by row.
fn contiguous<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    let primitive = tensor
        .try_into_primitive::<Flex>()
        .expect("the caller asked `is_cpu`");
    if primitive.is_contiguous() && primitive.layout().start_offset() == 0 {
        primitive
    } else {
        primitive.to_contiguous()
    }
}

/// Keeps the memory of a tensor for the next one, if nothing else has a part in it.
pub(super) fn recycle<const D: usize>(tensor: Tensor<D>) {
    if let Ok(primitive) = tensor.try_into_primitive::<Flex>() {
        recycle_flex(primitive);
    }
}

fn recycle_flex(tensor: FlexTensor) {
    if tensor.is_unique()
        && let Ok(memory) = tensor.into_data().try_into_vec::<f32>()
    {
        spare::give(memory);
    }
}

/// A tensor on the CPU from its values, row by row.
fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::new(values, shape)))
}
