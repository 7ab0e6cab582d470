//! Rows of some tokens, sequences over threads.

use super::contiguous;
use crate::job::OutputDtype;
use burn::{
    backend::Flex,
    tensor::{Element, Tensor, TensorData},
};
use burn_flex::FlexTensor;
use half::f16;
use rayon::prelude::*;
use std::ops::Range;

/// The rows of `x`, `[T, width]`, in `ranges`, one after the other.
pub(in super::super) fn select(
    x: &Tensor<2>,
    ranges: &[Range<usize>],
    dtype: OutputDtype,
) -> Tensor<2> {
    let [_, width] = x.dims();
    let x = contiguous(x.clone());
    let values = x.storage::<f32>();
    match dtype {
        OutputDtype::F32 => gathered(values, ranges, width, |value| value),
        OutputDtype::F16 => gathered(values, ranges, width, f16::from_f32),
    }
}

/// The rows in `ranges` one after the other, each number brought into another format.
fn gathered<T: Element + Copy + Default>(
    values: &[f32],
    ranges: &[Range<usize>],
    width: usize,
    round: fn(f32) -> T,
) -> Tensor<2> {
    let n_rows: usize = ranges.iter().map(Range::len).sum();
    let mut output = vec![T::default(); n_rows * width];
    let mut rest = output.as_mut_slice();
    let mut pieces = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (piece, after) = rest.split_at_mut(range.len() * width);
        pieces.push((piece, &values[range.start * width..range.end * width]));
        rest = after;
    }
    pieces.into_par_iter().for_each(|(to, from)| {
        for (to, &from) in to.iter_mut().zip(from) {
            *to = round(from);
        }
    });
    let data = TensorData::new(output, [n_rows, width]);
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(data))
}
