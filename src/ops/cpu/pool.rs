//! Pooling, sequences over threads.

use super::{super::Segments, contiguous, tensor};
use crate::job::Pooling;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// One vector a sequence: `[T, hidden]` to `[n, hidden]`.
pub(in super::super) fn pool(
    hidden_states: &Tensor<2>,
    segments: &Segments,
    pooling: Pooling,
) -> Tensor<2> {
    let [_, width] = hidden_states.dims();
    let hidden_states = contiguous(hidden_states.clone());
    let values = hidden_states.storage::<f32>();

    let mut output = vec![0f32; segments.len() * width];
    let ranges: Vec<_> = segments.ranges().collect();
    let arch = Arch::new();
    output
        .par_chunks_mut(width)
        .zip(ranges)
        .for_each(|(output, range)| {
            arch.dispatch(PoolOne {
                tokens: &values[range.start * width..range.end * width],
                pooling,
                output,
            });
        });
    tensor(output, [segments.len(), width])
}

/// One vector of a sequence: `[L, width]` to `[width]`.
pub(in super::super) fn pool_sequence(tokens: &[f32], width: usize, pooling: Pooling) -> Vec<f32> {
    let mut output = vec![0f32; width];
    Arch::new().dispatch(PoolOne {
        tokens,
        pooling,
        output: &mut output,
    });
    output
}

/// The pooling of one sequence.
struct PoolOne<'a> {
    /// BOS, residues, EOS: `[L, hidden]`.
    tokens: &'a [f32],
    pooling: Pooling,
    /// `[hidden]`.
    output: &'a mut [f32],
}

impl WithSimd for PoolOne<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.output.len();
        let (bos, rest) = self.tokens.split_at(width);
        let residues = &rest[..rest.len() - width];
        match self.pooling {
            Pooling::Cls => self.output.copy_from_slice(bos),
            Pooling::Mean => mean(residues, self.output),
            Pooling::Max => max(residues, self.output),
            Pooling::Std => std(residues, self.output),
        }
    }
}

/// Sums over blocks of rows before it sums over blocks, so that rounding errors grow with the
/// logarithm of the length rather than with the length.
#[inline(always)]
fn mean(residues: &[f32], output: &mut [f32]) {
    const ROWS_PER_BLOCK: usize = 32;
    let width = output.len();
    let mut block_sum = vec![0f32; width];
    for block in residues.chunks(ROWS_PER_BLOCK * width) {
        block_sum.fill(0.0);
        for row in block.chunks_exact(width) {
            for (sum, &x) in block_sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
        for (y, &sum) in output.iter_mut().zip(&block_sum) {
            *y += sum;
        }
    }
    let n = (residues.len() / width) as f32;
    for y in output {
        *y /= n;
    }
}

#[inline(always)]
fn max(residues: &[f32], output: &mut [f32]) {
    output.fill(f32::NEG_INFINITY);
    for row in residues.chunks_exact(output.len()) {
        for (y, &x) in output.iter_mut().zip(row) {
            // The largest number alone would hide that others have overflowed.
            let x = if x == f32::NEG_INFINITY { f32::NAN } else { x };
            *y = if x > *y || x.is_nan() { x } else { *y };
        }
    }
}

/// Two passes in f64, of which the second takes what the first found the mean to be.
#[inline(always)]
fn std(residues: &[f32], output: &mut [f32]) {
    let width = output.len();
    let n = (residues.len() / width) as f64;
    let mut means = vec![0f64; width];
    for row in residues.chunks_exact(width) {
        for (mean, &x) in means.iter_mut().zip(row) {
            *mean += f64::from(x);
        }
    }
    for mean in &mut means {
        *mean /= n;
    }
    let mut squares = vec![0f64; width];
    for row in residues.chunks_exact(width) {
        for ((square, mean), &x) in squares.iter_mut().zip(&means).zip(row) {
            let distance = f64::from(x) - mean;
            *square += distance * distance;
        }
    }
    for (y, square) in output.iter_mut().zip(squares) {
        *y = (square / n).sqrt() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_stays_so() {
        let pooled = |x: f32| {
            let residues = [1.0, 2.0, x, 3.0, 0.0, 1.0];
            let mut output = [[0.0; 2]; 3];
            max(&residues, &mut output[0]);
            mean(&residues, &mut output[1]);
            std(&residues, &mut output[2]);
            output
        };
        let expect = [[1.0, 3.0], [0.0, 2.0], [(2f64 / 3.0).sqrt() as f32; 2]];
        assert_eq!(pooled(-1.0), expect);
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for [first, second] in pooled(x) {
                assert!(!first.is_finite() && second.is_finite(), "{x}");
            }
        }
    }
}
