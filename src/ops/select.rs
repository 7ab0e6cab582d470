//! From the rows of all tokens to those of some of them, in a number format that is written.

use super::{Tokens, backend::Backend, cpu};
use crate::job::{OutputDtype, Positions};
use burn::tensor::{DType, Tensor};

/// The rows of `x`, `[T, width]`, that belong to some of the tokens of each sequence: `[positions, width]`. A number
/// that is too large for `dtype` becomes infinite.
pub fn select(
    x: &Tensor<2>,
    tokens: &Tokens,
    positions: Positions,
    dtype: OutputDtype,
) -> Tensor<2> {
    match Backend::of(x) {
        Backend::Cpu => cpu::select(x, tokens.segments(), positions, dtype),
        #[cfg(feature = "cuda")]
        Backend::Cuda => select_plain(x, tokens, positions, dtype),
        Backend::Plain => select_plain(x, tokens, positions, dtype),
    }
}

/// The same in operations that every device has.
pub fn select_plain(
    x: &Tensor<2>,
    tokens: &Tokens,
    positions: Positions,
    dtype: OutputDtype,
) -> Tensor<2> {
    let ranges = tokens.segments().ranges();
    let pieces = ranges.map(|range| match positions {
        Positions::Tokens => x.clone().slice_dim(0, range),
        Positions::Residues => x.clone().slice_dim(0, range.start + 1..range.end - 1),
    });
    narrowed(Tensor::cat(pieces.collect(), 0), dtype)
}

/// The rows of `x` that belong to sequences which are pieces of longer ones.
pub fn select_pieces(x: &Tensor<2>, tokens: &Tokens, dtype: OutputDtype) -> Tensor<2> {
    let segments = tokens.segments();
    let ranges = segments.ranges().enumerate();
    let ranges = ranges.filter(|(n, _)| segments.is_piece(*n));
    let pieces: Vec<_> = ranges
        .map(|(_, range)| x.clone().slice_dim(0, range))
        .collect();
    match pieces.is_empty() {
        true => narrowed(x.clone().slice_dim(0, 0..0), dtype),
        false => narrowed(Tensor::cat(pieces, 0), dtype),
    }
}

/// A matrix in a number format that is written.
pub fn narrowed(x: Tensor<2>, dtype: OutputDtype) -> Tensor<2> {
    x.cast(match dtype {
        OutputDtype::F16 => DType::F16,
        OutputDtype::F32 => DType::F32,
    })
}
