//! Layer normalisation, rows over threads.

use super::{contiguous, tensor};
use crate::device::spare;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows that one task works on.
const ROWS_PER_TASK: usize = 16;
/// Partial sums of a reduction: without them its order would forbid vectors.
const LANES: usize = 16;

/// Layer normalisation of `x`, `[T, hidden]`, with f32 statistics in two passes.
pub(in super::super) fn layer_norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    epsilon: f32,
) -> Tensor<2> {
    let shape @ [n_rows, width] = x.dims();
    let x = contiguous(x.clone());
    let weight = contiguous(weight.clone());
    let bias = contiguous(bias.clone());
    let (weight, bias) = (weight.storage::<f32>(), bias.storage::<f32>());

    let mut output = spare::take(n_rows * width);
    let arch = Arch::new();
    output
        .par_chunks_mut(ROWS_PER_TASK * width)
        .zip(x.storage::<f32>().par_chunks(ROWS_PER_TASK * width))
        .for_each(|(output, x)| {
            arch.dispatch(Normalise {
                x,
                weight,
                bias,
                epsilon,
                output,
            });
        });
    tensor(output, shape)
}

/// Some rows of a layer normalisation.
struct Normalise<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
    output: &'a mut [f32],
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.weight.len();
        let rows = self.x.chunks_exact(width);
        for (output, x) in self.output.chunks_exact_mut(width).zip(rows) {
            normalise(x, self.weight, self.bias, self.epsilon, output);
        }
    }
}

#[inline(always)]
fn normalise(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32, output: &mut [f32]) {
    let n = x.len() as f32;
    let mean = sum(x, |x| x) / n;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / n;
    // A variance that overflows would make every component 0.
    let scale = if variance.is_finite() {
        1.0 / (variance + epsilon).sqrt()
    } else {
        f32::NAN
    };
    for (((y, &x), &w), &b) in output.iter_mut().zip(x).zip(weight).zip(bias) {
        *y = ((x - mean) * scale).mul_add(w, b);
    }
}

#[inline(always)]
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane += f(x);
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variance_that_overflows_is_not_hidden() {
        let check = |x: &[f32], is_finite: bool| {
            let mut output = [0.0; 4];
            normalise(x, &[1.0; 4], &[0.5; 4], 1e-5, &mut output);
            assert!(
                output.iter().all(|y| y.is_finite() == is_finite),
                "{x:?}: {output:?}"
            );
        };
        check(&[1.0, 2.0, 3.0, 4.0], true);
        check(&[1e18, 0.0, -1e18, 0.0], true);
        check(&[1e30, 0.0, -1e30, 0.0], false);
        check(&[f32::INFINITY, 0.0, 1.0, 2.0], false);
        check(&[0.0, f32::NAN, 1.0, 2.0], false);
    }
}
