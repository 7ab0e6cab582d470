//! The weights of a linear layer, in the order in which products read them.

use super::{Lanes, contiguous};
use burn::tensor::Tensor;
use pulp::Arch;
use rayon::prelude::*;

/// Registers of outputs side by side in a panel.
pub(super) const REGISTERS: usize = 2;
/// Bytes to whose multiples registers are aligned: those of AVX-512 are loaded in two halves otherwise.
const ALIGNMENT: usize = 64;

/// The weights of a linear layer in panels of a few registers of outputs, whose weights of one input
/// lie side by side.
pub(in super::super) struct Panels {
    pub(super) n_out: usize,
    pub(super) n_in: usize,
    /// Outputs in a panel.
    pub(super) width: usize,
    /// Where the first panel begins: at an aligned address.
    start: usize,
    /// `[panels, in, width]`, zero where the last panel has no output.
    memory: Vec<f32>,
}

impl Panels {
    /// From weights, `[out, in]`, as PyTorch stores them.
    pub(in super::super) fn new(weight: Tensor<2>) -> Self {
        Self::for_lanes(weight, Arch::new().dispatch(Lanes))
    }

    /// For registers of `lanes` numbers.
    pub(super) fn for_lanes(weight: Tensor<2>, lanes: usize) -> Self {
        let [n_out, n_in] = weight.dims();
        let weight = contiguous(weight);
        let rows: &[f32] = weight.storage();
        let width = REGISTERS * lanes;
        let panel_len = width * n_in;
        let len = n_out.div_ceil(width) * panel_len;
        let mut memory = vec![0f32; len + ALIGNMENT / size_of::<f32>()];
        // An address that cannot be aligned only costs time.
        let start = memory
            .as_ptr()
            .align_offset(ALIGNMENT)
            .min(memory.len() - len);
        memory[start..start + len]
            .par_chunks_mut(panel_len)
            .zip(rows.par_chunks(panel_len))
            .for_each(|(panel, rows)| {
                for (i, row) in rows.chunks_exact(n_in).enumerate() {
                    for (place, &value) in panel[i..].iter_mut().step_by(width).zip(row) {
                        *place = value;
                    }
                }
            });
        Self {
            n_out,
            n_in,
            width,
            start,
            memory,
        }
    }

    /// How many panels there are.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.n_out.div_ceil(self.width)
    }

    /// The weights of panel `n` for some inputs, `[inputs, width]`.
    #[inline(always)]
    pub(super) fn part(&self, n: usize, first_input: usize, n_inputs: usize) -> &[f32] {
        let start = self.start + (n * self.n_in + first_input) * self.width;
        &self.memory[start..][..n_inputs * self.width]
    }
}

/// Rows that go through a panel together, which reuses each loaded weight this often. Their sums fill
/// three quarters of the sixteen registers of AVX2, or half of the 32 of others.
pub(super) const fn rows_at_once(lanes: usize) -> usize {
    if lanes == 8 { 6 } else { 8 }
}
