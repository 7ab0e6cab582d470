//! What follows a GEMM, in one pass and in place.

use super::{super::Epilogue, contiguous, simd};
use burn::{backend::Flex, tensor::Tensor};
use pulp::Arch;
use rayon::prelude::*;

/// Rows that one task works on.
const ROWS_PER_TASK: usize = 16;

/// `x + bias`, then the epilogue, in the memory of `x`, `[T, out]`.
pub(in super::super) fn epilogue(x: Tensor<2>, bias: &Tensor<1>, epilogue: Epilogue) -> Tensor<2> {
    let [_, width] = x.dims();
    let mut x = contiguous(x);
    let bias = contiguous(bias.clone());
    let bias: &[f32] = bias.storage();
    let chunks = x.storage_mut::<f32>().par_chunks_mut(ROWS_PER_TASK * width);
    let arch = Arch::new();
    match epilogue {
        Epilogue::None => chunks.for_each(|rows| {
            arch.dispatch(|| for_each_row(rows, bias, |y, b| y + b));
        }),
        Epilogue::Gelu => chunks.for_each(|rows| {
            arch.dispatch(|| for_each_row(rows, bias, |y, b| simd::gelu(y + b)));
        }),
        Epilogue::Residual(residual) => {
            let residual = contiguous(residual);
            let residual = residual.storage::<f32>();
            chunks
                .zip(residual.par_chunks(ROWS_PER_TASK * width))
                .for_each(|(rows, residual)| {
                    arch.dispatch(|| add_residual(rows, bias, residual));
                });
        }
    }
    Tensor::from_primitive::<Flex>(x)
}

#[inline(always)]
fn for_each_row(rows: &mut [f32], bias: &[f32], f: impl Fn(f32, f32) -> f32) {
    for row in rows.chunks_exact_mut(bias.len()) {
        for (y, &b) in row.iter_mut().zip(bias) {
            *y = f(*y, b);
        }
    }
}

#[inline(always)]
fn add_residual(rows: &mut [f32], bias: &[f32], residual: &[f32]) {
    let width = bias.len();
    for (row, residual) in rows
        .chunks_exact_mut(width)
        .zip(residual.chunks_exact(width))
    {
        for ((y, &b), &r) in row.iter_mut().zip(bias).zip(residual) {
            *y = (*y + b) + r;
        }
    }
}
