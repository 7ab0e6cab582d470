//! A tensor in a file: its format, its shape, and where its numbers are.

use super::{Failure, NumberFormat, scattered};
use rayon::prelude::*;
use std::{fs::File, io, os::unix::fs::FileExt};

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Stored {
    pub(in crate::model) format: NumberFormat,
    pub(in crate::model) shape: Vec<usize>,
    /// Where its first number is in the file, in bytes.
    start: u64,
    /// The numbers from one step along each dimension to the next, or `None` where they lie row by row.
    strides: Option<Vec<usize>>,
}

/// Where numbers of a file lie.
pub(super) struct Region {
    /// In bytes.
    pub(super) start: u64,
    pub(super) n_bytes: u64,
}

/// Numbers that one thread reads and converts at a time.
const NUMBERS_PER_READ: usize = 1 << 20;

/// Numbers of a tensor that has more of them than the storage below it, as the same ones are used again and
/// again: far above any bias that was spread, far below what would fill a memory.
const MOST_REPEATED: usize = 1 << 28;

impl Stored {
    /// A tensor whose numbers lie row by row from the byte `start` on, all of them within the file.
    pub(super) fn row_by_row(format: NumberFormat, shape: Vec<usize>, start: u64) -> Self {
        Self {
            format,
            shape,
            start,
            strides: None,
        }
    }

    /// A view of numbers that lie in `region`, from the number `offset` on.
    ///
    /// # Errors
    /// If it reaches beyond the region.
    pub(super) fn view(
        format: NumberFormat,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: u64,
        region: &Region,
    ) -> Result<Self, Failure> {
        let Some(size) = format.bytes() else {
            // Nobody reads it.
            return Ok(Self::row_by_row(format, shape, region.start));
        };
        let n_stored = region.n_bytes / size as u64;
        let beyond = || Failure::from("it reaches beyond the numbers that it is a view of");
        let n_numbers = product(&shape).ok_or_else(beyond)?;
        if n_numbers > 0 {
            let last = shape
                .iter()
                .zip(&strides)
                .try_fold(offset, |last, (&n, &stride)| {
                    last.checked_add((n as u64 - 1).checked_mul(stride as u64)?)
                });
            if last.is_none_or(|last| last >= n_stored) {
                return Err(beyond());
            }
        }
        if n_numbers as u64 > n_stored && n_numbers > MOST_REPEATED {
            return Err(format!("it repeats its numbers until they are {n_numbers}").into());
        }
        let is_row_by_row = n_numbers == 0 || scattered::is_row_by_row(&shape, &strides);
        Ok(Self {
            format,
            shape,
            // An empty tensor may begin anywhere.
            start: region.start
                + if n_numbers == 0 {
                    0
                } else {
                    offset * size as u64
                },
            strides: (!is_row_by_row).then_some(strides),
        })
    }

    /// Its numbers, row by row, in f32.
    pub(super) fn read(&self, file: &File) -> Result<Vec<f32>, Failure> {
        let Some(size) = self.format.bytes() else {
            return Err(self.format.refusal().into());
        };
        let read = |first: usize, values: &mut [f32]| {
            let mut bytes = vec![0; values.len() * size];
            file.read_exact_at(&mut bytes, self.start + (first * size) as u64)?;
            self.format.to_f32(&bytes, values);
            Ok(())
        };
        let values = match &self.strides {
            Some(strides) => scattered::read(&self.shape, strides, read),
            None => {
                let mut values = vec![0f32; self.shape.iter().product()];
                let chunks = values.par_chunks_mut(NUMBERS_PER_READ).enumerate();
                chunks
                    .try_for_each(|(n, chunk)| read(n * NUMBERS_PER_READ, chunk))
                    .map(|()| values)
            }
        };
        values.map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "it became shorter while it was read".into(),
            _ => Failure::Io(error),
        })
    }
}

/// The numbers of a tensor of this shape, if they can be counted.
fn product(shape: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .try_fold(1usize, |product, &n| product.checked_mul(n))
}
