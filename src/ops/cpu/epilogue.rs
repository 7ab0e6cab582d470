//! What follows a GEMM, in one pass and in place.

use super::{super::Epilogue, contiguous, simd};
use burn::{backend::Flex, tensor::Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows that one task works on.
const ROWS_PER_TASK: usize = 16;

/// `x + bias`, then the epilogue, in the memory of `x`, `[T, out]`.
pub(in super::super) fn epilogue(
    x: Tensor<2>,
    bias: &Tensor<1>,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    let [_, width] = x.dims();
    let mut x = contiguous(x);
    let bias = contiguous(bias.clone());
    let bias: &[f32] = bias.storage();
    let chunks = x.storage_mut::<f32>().par_chunks_mut(ROWS_PER_TASK * width);
    let arch = Arch::new();
    match epilogue {
        Epilogue::None => chunks.for_each(|rows| arch.dispatch(AddBias { rows, bias })),
        // The tanh form is no faster here, and less exact.
        Epilogue::Gelu | Epilogue::GeluTanh => {
            chunks.for_each(|rows| arch.dispatch(AddBiasGelu { rows, bias }));
        }
        Epilogue::Residual(residual) => {
            let residual = contiguous(residual.clone());
            let residual = residual.storage::<f32>();
            chunks
                .zip(residual.par_chunks(ROWS_PER_TASK * width))
                .for_each(|(rows, residual)| {
                    arch.dispatch(AddBiasResidual {
                        rows,
                        bias,
                        residual,
                    });
                });
        }
    }
    Tensor::from_primitive::<Flex>(x)
}

struct AddBias<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for AddBias<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (y, &b) in row.iter_mut().zip(self.bias) {
                *y += b;
            }
        }
    }
}

struct AddBiasGelu<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
}

impl WithSimd for AddBiasGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.bias.len()) {
            for (y, &b) in row.iter_mut().zip(self.bias) {
                *y = simd::gelu(*y + b);
            }
        }
    }
}

struct AddBiasResidual<'a> {
    rows: &'a mut [f32],
    bias: &'a [f32],
    residual: &'a [f32],
}

impl WithSimd for AddBiasResidual<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.bias.len();
        let residual = self.residual.chunks_exact(width);
        for (row, residual) in self.rows.chunks_exact_mut(width).zip(residual) {
            for ((y, &b), &r) in row.iter_mut().zip(self.bias).zip(residual) {
                *y = (*y + b) + r;
            }
        }
    }
}
