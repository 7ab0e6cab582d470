//! A tensor in a file: its format, its shape, and where its numbers are.

use super::{Failure, NumberFormat};
use rayon::prelude::*;
use std::{fs::File, io, os::unix::fs::FileExt};

/// A tensor in a file.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::model) struct Stored {
    pub(in crate::model) format: NumberFormat,
    pub(in crate::model) shape: Vec<usize>,
    /// Where its first number is in the file, in bytes.
    start: u64,
}

/// Numbers that one thread reads and converts at a time.
const NUMBERS_PER_READ: usize = 1 << 20;

impl Stored {
    /// A tensor whose numbers lie row by row from the byte `start` on, all of them within the file.
    pub(super) fn row_by_row(format: NumberFormat, shape: Vec<usize>, start: u64) -> Self {
        Self {
            format,
            shape,
            start,
        }
    }

    /// Its numbers, row by row, in f32.
    pub(super) fn read(&self, file: &File) -> Result<Vec<f32>, Failure> {
        let Some(size) = self.format.bytes() else {
            return Err(format!("it has numbers of the format {}", self.format).into());
        };
        let mut values = vec![0f32; self.shape.iter().product()];
        values
            .par_chunks_mut(NUMBERS_PER_READ)
            .enumerate()
            .try_for_each(|(n, values)| {
                let mut bytes = vec![0; values.len() * size];
                let offset = (n * NUMBERS_PER_READ * size) as u64;
                file.read_exact_at(&mut bytes, self.start + offset)?;
                self.format.to_f32(&bytes, values);
                Ok(())
            })
            .map_err(|error: io::Error| match error.kind() {
                io::ErrorKind::UnexpectedEof => "it became shorter while it was read".into(),
                _ => Failure::Io(error),
            })?;
        Ok(values)
    }
}
