//! The weights of a linear layer in bfloat16, in tiles, and products with them in place of those of panels.
//!
//! Inputs are rounded to bfloat16, as the weights are; sums, and all that follows them, are in f32.

use super::{
    contiguous,
    epilogue::{After, finish},
};
use crate::device::{
    amx::{self, COLUMNS, INPUTS, ROWS},
    spare,
};
use burn::tensor::Tensor;
use half::bf16;
use pulp::bytemuck;
use rayon::prelude::*;

/// Bytes to whose multiples tiles are aligned: their rows would lie in two lines of the cache otherwise.
const ALIGNMENT: usize = 64;
/// Panels that rows go through before the next rows do. What comes of them stays in the first-level cache until it is
/// finished.
const PANELS_AT_ONCE: usize = 4;

/// The weights of a linear layer in panels of a few outputs, each in tiles.
pub(in super::super) struct Tiles {
    pub(super) n_out: usize,
    pub(super) n_in: usize,
    /// Where the first panel begins: at an aligned address.
    start: usize,
    /// `[panels, inputs, COLUMNS]` in bf16, inputs in whole tiles; zero where there is no input or no output.
    memory: Vec<u16>,
}

/// Sums of some rows with the panels that they go through at once.
#[repr(align(64))]
struct Sums([f32; ROWS * COLUMNS * PANELS_AT_ONCE]);

impl Tiles {
    /// From weights in bf16, `[out, in]`, as PyTorch stores them.
    pub(super) fn new(weight: Tensor<2>) -> Self {
        let [n_out, n_in] = weight.dims();
        let weight = contiguous(weight);
        let rows = &weight.storage::<bf16>()[..n_out * n_in];
        let panel_len = COLUMNS * n_in.next_multiple_of(INPUTS);
        let len = n_out.div_ceil(COLUMNS) * panel_len;
        let mut memory = vec![0; len + ALIGNMENT / size_of::<u16>()];
        // An address that cannot be aligned only costs time.
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let start = start.min(memory.len() - len);
        memory[start..start + len]
            .par_chunks_mut(panel_len)
            .zip(rows.par_chunks(COLUMNS * n_in))
            .for_each(|(panel, rows)| {
                for (column, row) in rows.chunks_exact(n_in).enumerate() {
                    for (input, value) in row.iter().enumerate() {
                        panel[amx::place_of_weight(column, input)] = value.to_bits();
                    }
                }
            });
        Self {
            n_out,
            n_in,
            start,
            memory,
        }
    }

    /// `x W^T + b` of some rows, then what follows: `[rows, in]` to `[rows, out]`.
    #[inline(always)]
    pub(super) fn compute(&self, x: &[f32], bias: &[f32], after: After<'_>, output: &mut [f32]) {
        let Self { n_in, n_out, .. } = *self;
        let n_rows = x.len() / n_in;
        let n_tiles = n_in.div_ceil(INPUTS);
        let at_once = ROWS * INPUTS * n_tiles;
        let len = n_rows.div_ceil(ROWS) * at_once * size_of::<u16>() / size_of::<f32>();
        let mut memory = spare::take(len + ALIGNMENT / size_of::<f32>());
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        let start = start.min(memory.len() - len);
        // Rows behind the last one have any numbers; nobody looks at what comes of them.
        let inputs: &mut [u16] = bytemuck::cast_slice_mut(&mut memory[start..start + len]);
        for (inputs, x) in inputs.chunks_exact_mut(at_once).zip(x.chunks(ROWS * n_in)) {
            for (row, x) in x.chunks_exact(n_in).enumerate() {
                for (tile, x) in x.chunks(INPUTS).enumerate() {
                    let place = amx::place_of_input(row, tile * INPUTS, n_tiles);
                    round(x, &mut inputs[place..][..INPUTS]);
                }
            }
        }

        let mut sums = Sums([0.0; _]);
        let n_panels = n_out.div_ceil(COLUMNS);
        for first in (0..n_panels).step_by(PANELS_AT_ONCE) {
            let panels = first..n_panels.min(first + PANELS_AT_ONCE);
            let columns = first * COLUMNS..n_out.min(panels.end * COLUMNS);
            let width = panels.len() * COLUMNS;
            let sums = &mut sums.0[..ROWS * width];
            let panel_len = COLUMNS * INPUTS * n_tiles;
            let weights = self.start + first * panel_len..self.start + panels.end * panel_len;
            let weights = &self.memory[weights];
            for (n, inputs) in inputs.chunks_exact(at_once).enumerate() {
                amx::multiply(inputs, weights, n_tiles, sums);
                let rows = n * ROWS..n_rows.min((n + 1) * ROWS);
                for (row, sums) in rows.zip(sums.chunks_exact(width)) {
                    let at = row * n_out + columns.start..row * n_out + columns.end;
                    let output = &mut output[at.clone()];
                    output.copy_from_slice(&sums[..columns.len()]);
                    finish(output, &bias[columns.clone()], after.part(at));
                }
            }
        }
        spare::give(memory);
    }
}

/// Numbers in bf16, and zeroes behind them.
#[inline(always)]
fn round(x: &[f32], to: &mut [u16]) {
    if let (Ok(x), Ok(to)) = (
        <&[f32; INPUTS]>::try_from(x),
        <&mut [u16; INPUTS]>::try_from(&mut *to),
    ) {
        for (to, &x) in to.iter_mut().zip(x) {
            *to = rounded(x);
        }
        return;
    }
    let (numbers, rest) = to.split_at_mut(x.len());
    for (to, &x) in numbers.iter_mut().zip(x) {
        *to = rounded(x);
    }
    rest.fill(0);
}

/// The bits of the nearest number in bf16, of two the even one. It has no branches, so that vectors do it.
#[inline(always)]
fn rounded(x: f32) -> u16 {
    /// The bit that tells NaN from infinity.
    const QUIET: u32 = 0x40;
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let rounded = if x.is_nan() {
        bits >> 16 | QUIET
    } else {
        nearest
    };
    rounded as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_the_nearest() {
        let near = |bits: u32| [bits.wrapping_sub(1), bits, bits.wrapping_add(1)];
        let all = (0..=u16::MAX).map(|high| u32::from(high) << 16);
        for bits in all.flat_map(|bits| [near(bits), near(bits + 0x8000)].concat()) {
            let x = f32::from_bits(bits);
            assert_eq!(rounded(x), bf16::from_f32(x).to_bits(), "{bits:#x}");
        }
    }
}
