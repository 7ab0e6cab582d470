//! From the rows of all tokens to those of some of them, in a number format that is written.

use super::{Tokens, backend::Backend, cpu};
use crate::{
    alphabet::MASK,
    job::{OutputDtype, Positions},
};
use burn::tensor::{DType, Int, Tensor, TensorData};
use std::ops::Range;

/// The rows of `x`, `[T, width]`, that belong to some of the tokens of each sequence: `[positions, width]`. A number
/// that is too large for `dtype` becomes infinite.
pub fn select(
    x: &Tensor<2>,
    tokens: &Tokens,
    positions: Positions,
    dtype: OutputDtype,
) -> Tensor<2> {
    match Backend::of(x) {
        Backend::Cpu => cpu::select(x, &ranges(tokens, positions), dtype),
        #[cfg(feature = "cuda")]
        Backend::Cuda => match positions {
            Positions::Residues => super::cuda::residues(x, tokens.gpu_batch(), dtype),
            Positions::Tokens => super::cuda::tokens(x, tokens.gpu_batch(), dtype),
            Positions::Masks => {
                let masks = ranges(tokens, positions).into_iter().flatten();
                select_rows(x, &masks.collect::<Vec<_>>(), dtype)
            }
        },
        Backend::Plain => select_plain(x, tokens, positions, dtype),
    }
}

/// Where the rows of some tokens are.
fn ranges(tokens: &Tokens, positions: Positions) -> Vec<Range<usize>> {
    let sequences = tokens.segments().ranges();
    match positions {
        Positions::Tokens => sequences.collect(),
        Positions::Residues => sequences
            .map(|range| range.start + 1..range.end - 1)
            .collect(),
        Positions::Masks => {
            let is_mask = |row: &usize| tokens.input_ids()[*row] == MASK;
            let masks = sequences.flatten().filter(is_mask);
            masks.map(|row| row..row + 1).collect()
        }
    }
}

/// The same in operations that every device has.
pub fn select_plain(
    x: &Tensor<2>,
    tokens: &Tokens,
    positions: Positions,
    dtype: OutputDtype,
) -> Tensor<2> {
    let rows = ranges(tokens, positions).into_iter().flatten();
    select_rows_plain(x, &rows.collect::<Vec<_>>(), dtype)
}

/// The rows of `x` that belong to sequences which are pieces of longer ones.
pub fn select_pieces(x: &Tensor<2>, tokens: &Tokens, dtype: OutputDtype) -> Tensor<2> {
    let segments = tokens.segments();
    let pieces = segments.ranges().enumerate();
    let pieces = pieces.filter(|(n, _)| segments.is_piece(*n));
    let pieces: Vec<_> = pieces.map(|(_, range)| range).collect();
    match Backend::of(x) {
        Backend::Cpu => cpu::select(x, &pieces, dtype),
        _ => select_rows(x, &pieces.into_iter().flatten().collect::<Vec<_>>(), dtype),
    }
}

/// The rows of `x` with these numbers, in their order.
pub fn select_rows(x: &Tensor<2>, rows: &[usize], dtype: OutputDtype) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if Backend::of(x) == Backend::Cuda {
        return super::cuda::listed(x, rows, dtype);
    }
    select_rows_plain(x, rows, dtype)
}

/// The same in operations that every device has.
pub fn select_rows_plain(x: &Tensor<2>, rows: &[usize], dtype: OutputDtype) -> Tensor<2> {
    if rows.is_empty() {
        return narrowed(x.clone().slice_dim(0, 0..0), dtype);
    }
    let numbers = rows.iter().map(|&row| {
        i32::try_from(row).expect("rows of activations are tokens, and batches are far smaller")
    });
    let numbers = TensorData::new(numbers.collect::<Vec<_>>(), [rows.len()]);
    let numbers = Tensor::<1, Int>::from_data(numbers, (&x.device(), DType::I32));
    narrowed(x.clone().select(0, numbers), dtype)
}

/// A matrix in a number format that is written. A number that is too large for it becomes infinite.
pub fn narrowed(x: Tensor<2>, dtype: OutputDtype) -> Tensor<2> {
    let burn_dtype = match dtype {
        OutputDtype::F16 => DType::F16,
        OutputDtype::F32 => DType::F32,
    };
    if x.dtype() == burn_dtype {
        return x;
    }
    #[cfg(feature = "cuda")]
    if Backend::of(&x) == Backend::Cuda {
        return super::cuda::narrowed(&x, dtype);
    }
    x.cast(burn_dtype)
}
