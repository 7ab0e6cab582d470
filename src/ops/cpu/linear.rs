//! Linear layers: rows over threads, outputs over vectors, and what follows the product fused in.
//!
//! The bits of a row depend on that row and the weights only, whatever rows are computed with it, by
//! however many threads and with vectors of whatever length: each output is a sum in one order. Inputs are
//! taken in blocks whose size follows from their number; a block's products are added up one after the
//! other, with one rounding each, and then the sums of the blocks.

use super::{
    super::Epilogue,
    contiguous,
    epilogue::{After, finish},
    packed::Packed,
    panels::{Panels, REGISTERS, rows_at_once},
    recycle_flex, tensor,
};
use crate::device::spare;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Inputs in a block, at most. A panel of them fits in the second-level cache many times, and the sums of
/// blocks lose fewer digits than one long sum would.
const BLOCK: usize = 256;
/// Inputs between two looks at the bounds of rows.
const UNROLLED: usize = 8;
/// Panels that rows go through before the next rows do: with a block of inputs, an eighth of a usual
/// second-level cache.
const PANELS_AT_ONCE: usize = 8;
/// Rows of a task, at most. With a group of panels and what comes of them they fit in a second-level cache of 2 MB for
/// small models.
const ROWS_PER_TASK: usize = 240;
/// Bytes between the two products of a feed-forward layer that stay in the second-level cache.
const BETWEEN: usize = 1 << 20;

/// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]`.
pub(in super::super) fn linear(
    x: Tensor<2>,
    weight: &Packed,
    bias: &Tensor<1>,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    linear_on(Arch::new(), x, weight, bias, epilogue)
}

/// [`linear`] with the vectors of `arch`, for which the weights must have been made.
pub(super) fn linear_on(
    arch: Arch,
    x: Tensor<2>,
    weight: &Packed,
    bias: &Tensor<1>,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    let [n_rows, n_in] = x.dims();
    assert_eq!(n_in, weight.n_in(), "the layer's inputs");
    let n_out = weight.n_out();
    let input = contiguous(x);
    // A tensor's memory may go on behind it.
    let x = &input.storage::<f32>()[..n_rows * n_in];
    let bias = contiguous(bias.clone());
    let residual = match epilogue {
        Epilogue::Residual(residual) => Some(contiguous(residual.clone())),
        Epilogue::None | Epilogue::Gelu | Epilogue::GeluTanh => None,
    };

    let mut output = spare::take(n_rows * n_out);
    let rows_per_task = weight.rows_per_task(n_rows, ROWS_PER_TASK);
    output
        .par_chunks_mut(rows_per_task * n_out)
        .zip(x.par_chunks(rows_per_task * n_in))
        .enumerate()
        .for_each(|(task, (output, x))| {
            let after = match (&residual, epilogue) {
                (Some(residual), _) => {
                    let start = task * rows_per_task * n_out;
                    After::Residual(&residual.storage::<f32>()[start..][..output.len()])
                }
                // The tanh form is no faster here, and less exact.
                (None, Epilogue::Gelu | Epilogue::GeluTanh) => After::Gelu,
                (None, _) => After::Nothing,
            };
            arch.dispatch(Rows {
                x,
                weight,
                bias: bias.storage(),
                after,
                output,
            });
        });
    recycle_flex(input);
    tensor(output, [n_rows, n_out])
}

/// A feed-forward layer: `residual + gelu(x W1^T + b1) W2^T + b2`, `[T, hidden]` to `[T, hidden]`. What lies between
/// the two products is in memory for a few rows at a time only.
pub(in super::super) fn feed_forward(
    x: Tensor<2>,
    expand: (&Packed, &Tensor<1>),
    contract: (&Packed, &Tensor<1>),
    residual: &Tensor<2>,
) -> Tensor<2> {
    let [n_rows, n_in] = x.dims();
    let ((expand, expand_bias), (contract, contract_bias)) = (expand, contract);
    let (n_wide, n_out) = (expand.n_out(), contract.n_out());
    assert_eq!(
        (n_in, n_wide),
        (expand.n_in(), contract.n_in()),
        "the layer's inputs"
    );
    let input = contiguous(x);
    let x = &input.storage::<f32>()[..n_rows * n_in];
    let residual = contiguous(residual.clone());
    let residual = &residual.storage::<f32>()[..n_rows * n_out];
    let expand_bias = contiguous(expand_bias.clone());
    let contract_bias = contiguous(contract_bias.clone());

    let arch = Arch::new();
    let mut output = spare::take(n_rows * n_out);
    let least = expand.least_rows();
    let fitting = BETWEEN / (n_wide * size_of::<f32>()) / least * least;
    let rows_per_task = fitting.clamp(least, ROWS_PER_TASK);
    let rows_per_task = expand.rows_per_task(n_rows, rows_per_task);
    output
        .par_chunks_mut(rows_per_task * n_out)
        .zip(x.par_chunks(rows_per_task * n_in))
        .zip(residual.par_chunks(rows_per_task * n_out))
        .for_each(|((output, x), residual)| {
            let mut between = spare::take(output.len() / n_out * n_wide);
            arch.dispatch(Rows {
                x,
                weight: expand,
                bias: expand_bias.storage(),
                after: After::Gelu,
                output: &mut between,
            });
            arch.dispatch(Rows {
                x: &between,
                weight: contract,
                bias: contract_bias.storage(),
                after: After::Residual(residual),
                output,
            });
            spare::give(between);
        });
    recycle_flex(input);
    tensor(output, [n_rows, n_out])
}

/// Some rows of a linear layer.
struct Rows<'a> {
    /// `[rows, in]`.
    x: &'a [f32],
    weight: &'a Packed,
    bias: &'a [f32],
    after: After<'a>,
    /// `[rows, out]`.
    output: &'a mut [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.weight {
            Packed::Tiles(tiles) => tiles.compute(self.x, self.bias, self.after, self.output),
            Packed::Panels(panels) if rows_at_once(S::F32_LANES) == 6 => {
                self.compute::<S, 6>(simd, panels);
            }
            Packed::Panels(panels) => self.compute::<S, 8>(simd, panels),
        }
    }
}

impl Rows<'_> {
    /// A few rows at a time go through some panels, which stay in the second-level cache until all rows
    /// are through.
    #[inline(always)]
    fn compute<S: Simd, const ROWS: usize>(self, simd: S, weight: &Panels) {
        let Panels { n_in, n_out, .. } = *weight;
        let n_rows = self.x.len() / n_in;
        let n_blocks = n_in.div_ceil(BLOCK);
        let block = n_in.div_ceil(n_blocks).next_multiple_of(UNROLLED);
        for first_panel in (0..weight.len()).step_by(PANELS_AT_ONCE) {
            let panels = first_panel..weight.len().min(first_panel + PANELS_AT_ONCE);
            // All blocks of some outputs, so that these stay in the second-level cache.
            for start in (0..n_in).step_by(block) {
                let n_inputs = block.min(n_in - start);
                for first_row in (0..n_rows).step_by(ROWS) {
                    // Rows beyond the last one repeat it; their results are not written.
                    let mut x: [&[f32]; ROWS] = [&[]; ROWS];
                    for (i, x) in x.iter_mut().enumerate() {
                        let row = (first_row + i).min(n_rows - 1);
                        *x = &self.x[row * n_in + start..][..n_inputs];
                    }
                    let rows = first_row..n_rows.min(first_row + ROWS);
                    for panel in panels.clone() {
                        let weights = weight.part(panel, start, n_inputs);
                        let sums = products::<S, ROWS>(simd, &x, weights);
                        let column = panel * weight.width;
                        let n_columns = weight.width.min(n_out - column);
                        for (row, sums) in rows.clone().zip(&sums) {
                            let output = &mut self.output[row * n_out + column..][..n_columns];
                            put(simd, sums, output, start > 0);
                        }
                    }
                    if start + n_inputs == n_in {
                        let columns =
                            panels.start * weight.width..n_out.min(panels.end * weight.width);
                        for row in rows {
                            let at = row * n_out + columns.start..row * n_out + columns.end;
                            let bias = &self.bias[columns.clone()];
                            finish(&mut self.output[at.clone()], bias, self.after.part(at));
                        }
                    }
                }
            }
        }
    }
}

/// The products of some inputs of each row with a panel's weights, `[inputs, width]`.
#[inline(always)]
fn products<S: Simd, const ROWS: usize>(
    simd: S,
    rows: &[&[f32]; ROWS],
    weights: &[f32],
) -> [[S::f32s; REGISTERS]; ROWS] {
    let (weights, _) = S::as_simd_f32s(weights);
    let (weights, _) = weights.as_chunks::<REGISTERS>();
    let (blocks, rest) = weights.as_chunks::<UNROLLED>();
    let mut sums = [[simd.splat_f32s(0.0); REGISTERS]; ROWS];
    let mut x: [&[[f32; UNROLLED]]; ROWS] = [&[]; ROWS];
    for (x, row) in x.iter_mut().zip(rows) {
        *x = &row.as_chunks::<UNROLLED>().0[..blocks.len()];
    }
    for (n, block) in blocks.iter().enumerate() {
        let mut inputs: [&[f32; UNROLLED]; ROWS] = [&[0.0; UNROLLED]; ROWS];
        for (inputs, x) in inputs.iter_mut().zip(&x) {
            *inputs = &x[n];
        }
        for (i, weights) in block.iter().enumerate() {
            for (sums, inputs) in sums.iter_mut().zip(&inputs) {
                add::<S>(simd, sums, inputs[i], weights);
            }
        }
    }
    for (i, weights) in rest.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            add::<S>(simd, sums, row[blocks.len() * UNROLLED + i], weights);
        }
    }
    sums
}

/// Adds the products of `input` and `weights`.
#[inline(always)]
fn add<S: Simd>(
    simd: S,
    sums: &mut [S::f32s; REGISTERS],
    input: f32,
    weights: &[S::f32s; REGISTERS],
) {
    let input = simd.splat_f32s(input);
    for (sum, &weights) in sums.iter_mut().zip(weights) {
        *sum = simd.mul_add_e_f32s(input, weights, *sum);
    }
}

/// Writes `sums` to `output`, or adds them to it.
#[inline(always)]
fn put<S: Simd>(simd: S, sums: &[S::f32s; REGISTERS], output: &mut [f32], is_added: bool) {
    let zero = simd.splat_f32s(0.0);
    if output.len() == REGISTERS * S::F32_LANES {
        let (output, _) = S::as_mut_simd_f32s(output);
        for (output, &sum) in output.iter_mut().zip(sums) {
            let before = if is_added { *output } else { zero };
            *output = simd.add_f32s(before, sum);
        }
    } else {
        let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
        for (output, &sum) in output.iter_mut().zip(sums) {
            let before = if is_added { *output } else { 0.0 };
            *output = before + sum;
        }
    }
}
