//! Linear layers of bytes, with what follows them fused in.

use super::{
    super::{Epilogue, quantised::Code},
    gemm_s8::{Out, product, writes_bytes},
    quantise::quantise,
    quantised::{QuantisedRows, QuantisedWeights},
};
use crate::job::Dtype;
use burn::tensor::Tensor;

/// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]` in bf16.
pub(in super::super) fn quantised_linear(
    x: &QuantisedRows,
    weights: &QuantisedWeights,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    let y = x
        .bytes
        .allocate([x.shape[0], weights.shape[0]], Dtype::Bf16);
    product(x, weights, Out::Full(&y, epilogue));
    y.tensor()
}

/// GELU of `x W^T + b`, in the erf form, as bytes in [`Code::Gelu`]: `[T, in]` to `[T, out]`.
pub(in super::super) fn quantised_expand(
    x: &QuantisedRows,
    weights: &QuantisedWeights,
) -> QuantisedRows {
    let shape @ [_, n_out] = [x.shape[0], weights.shape[0]];
    if !writes_bytes(n_out) {
        let y = quantised_linear(x, weights, Epilogue::Gelu);
        return quantise(&y, Code::Gelu);
    }
    let y = QuantisedRows::beside(&x.bytes, shape, Code::Gelu);
    product(x, weights, Out::Gelu(&y));
    y
}
