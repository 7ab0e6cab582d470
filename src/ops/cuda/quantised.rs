//! Bytes on a GPU: rows of activations, and weights.
//!
//! They lie in memory of their own that CubeCL gives out, as tensors do, so that it is held and given back like theirs. No
//! operation of burn knows them.

use super::{super::quantised::Code, Operand};
use crate::job::Dtype;
use burn::tensor::Tensor;
use cubecl::server::Handle;

/// Rows of activations as bytes.
pub(in super::super) struct QuantisedRows {
    pub(super) code: Code,
    /// `[T, width]`.
    pub(super) shape: [usize; 2],
    /// `[T, width]`, a byte a number.
    pub(super) bytes: Operand,
    /// `[T, scales of a row]`, in f32.
    pub(super) scales: Operand,
}

/// The weights of a linear layer as bytes.
pub(in super::super) struct QuantisedWeights {
    /// Outputs and inputs.
    pub(super) shape: [usize; 2],
    /// Which numbers the bytes of inputs stand for.
    pub(super) input: Code,
    /// `[out, in]`, a byte a number.
    pub(super) bytes: Handle,
    /// `[out]`, in f32.
    pub(super) scales: Operand,
    /// `[out]`, in f32, folded.
    pub(super) bias: Operand,
}

impl QuantisedRows {
    /// Room beside `operand`, not initialised.
    pub(super) fn beside(operand: &Operand, shape: [usize; 2], code: Code) -> Self {
        let [n_rows, width] = shape;
        Self {
            code,
            shape,
            bytes: operand.allocate_bytes(n_rows * width),
            scales: operand.allocate([n_rows, code.n_scales(width)], Dtype::F32),
        }
    }
}

#[cfg(test)]
impl QuantisedRows {
    /// The bytes and the scales, row by row, in main memory. Waits for them.
    pub(in super::super) fn read(&self) -> (Vec<i16>, Vec<f32>) {
        let byte = |byte: u8| match self.code {
            Code::Signed => i16::from(byte.cast_signed()),
            Code::Gelu => i16::from(byte),
        };
        let scales = self.scales.read();
        let (scales, _) = scales.as_chunks::<4>();
        (
            self.bytes.read().into_iter().map(byte).collect(),
            scales.iter().map(|&x| f32::from_ne_bytes(x)).collect(),
        )
    }
}

impl QuantisedWeights {
    /// From `bytes`, `[out, in]`, in main memory, for inputs of so many numbers a row. `scales` and the folded
    /// bias, `[out]` each, are on the GPU.
    pub(in super::super) fn new(
        bytes: Vec<i8>,
        (n_in, input): (usize, Code),
        scales: &Tensor<1>,
        bias: &Tensor<1>,
    ) -> Self {
        let scales = Operand::new(scales);
        // Collecting uses the memory of a vector again.
        let bytes: Vec<u8> = bytes.into_iter().map(i8::cast_unsigned).collect();
        let [n_out] = bias.dims();
        Self {
            shape: [n_out, n_in],
            input,
            bytes: scales.upload(&bytes),
            scales,
            bias: Operand::new(bias),
        }
    }
}
