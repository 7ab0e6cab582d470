//! Column chunks of vectors of residues, read as fast as memory is copied, where they lie in a file as we write them.

use super::plain::{NUMBER, ROW, is_plain};
use ::parquet::{
    basic::{Compression, Encoding},
    column::page::{Page, PageReader as _},
    file::{metadata::RowGroupMetaData, serialized_reader::SerializedPageReader},
};
use arrow_array::{ArrayRef, FixedSizeListArray, Float16Array, Float32Array, ListArray};
use arrow_buffer::{MutableBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use std::{fs::File, iter, sync::Arc};

/// The vectors of a row group. `None` if its column is not one that is read here, or is damaged: the general reader
/// says how.
pub(super) fn read(
    file: &Arc<File>,
    group: &RowGroupMetaData,
    n_column: usize,
    field: &Field,
) -> Option<ArrayRef> {
    let column = group.column(n_column);
    let is_ours = is_plain(field.data_type())
        && column.compression() == Compression::UNCOMPRESSED
        && column.dictionary_page_offset().is_none()
        && column
            .encodings()
            .all(|encoding| matches!(encoding, Encoding::PLAIN | Encoding::RLE));
    let (DataType::List(vector), true) = (field.data_type(), is_ours) else {
        return None;
    };
    let DataType::FixedSizeList(number, list_size) = vector.data_type() else {
        return None;
    };
    let width = usize::try_from(*list_size).ok()?;
    if width < 2 {
        // A row of one number has as many levels as one of none.
        return None;
    }
    let number_bytes = number.data_type().primitive_width()?;
    let n_rows = usize::try_from(group.num_rows()).ok()?;
    let mut rows = Rows {
        lengths: Vec::with_capacity(n_rows),
        numbers: MutableBuffer::with_capacity(usize::try_from(column.uncompressed_size()).ok()?),
    };
    let mut pages = SerializedPageReader::new(file.clone(), column, n_rows, None).ok()?;
    while let Some(page) = pages.get_next_page().ok()? {
        rows.add(&page, width, number_bytes)?;
    }
    let n_vectors: usize = rows.lengths.iter().sum();
    if rows.lengths.len() != n_rows || i32::try_from(n_vectors).is_err() {
        return None;
    }
    let n_numbers = n_vectors * width;
    let buffer = rows.numbers.into();
    let numbers: ArrayRef = match number.data_type() {
        DataType::Float16 => {
            let numbers = ScalarBuffer::new(buffer, 0, n_numbers);
            Arc::new(Float16Array::new(numbers, None))
        }
        _ => {
            let numbers = ScalarBuffer::new(buffer, 0, n_numbers);
            Arc::new(Float32Array::new(numbers, None))
        }
    };
    let vectors = FixedSizeListArray::try_new(number.clone(), *list_size, numbers, None).ok()?;
    let offsets = OffsetBuffer::from_lengths(rows.lengths);
    let lists = ListArray::try_new(vector.clone(), offsets, Arc::new(vectors), None).ok()?;
    Some(Arc::new(lists))
}

/// The rows so far.
struct Rows {
    /// Vectors of each.
    lengths: Vec<usize>,
    numbers: MutableBuffer,
}

impl Rows {
    /// Adds those of a page.
    fn add(&mut self, page: &Page, width: usize, number_bytes: usize) -> Option<()> {
        let Page::DataPage {
            buf,
            num_values,
            encoding: Encoding::PLAIN,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            ..
        } = page
        else {
            return None;
        };
        let (repetition, rest) = levels(buf)?;
        let (_, numbers) = levels(rest)?;
        let before = self.lengths.len();
        let mut n_levels = 0;
        // Levels of the row so far.
        let mut of_row = None;
        for run in runs(repetition) {
            let (n, level) = run?;
            n_levels += n;
            if level != ROW {
                of_row = Some(of_row? + n);
                continue;
            }
            for _ in 0..n {
                self.end_row(of_row, width)?;
                of_row = Some(1);
            }
        }
        self.end_row(of_row, width)?;
        let n_vectors: usize = self.lengths[before..].iter().sum();
        self.numbers.extend_from_slice(numbers);
        let fits = numbers.len() == n_vectors * width * number_bytes;
        (fits && n_levels == *num_values as usize).then_some(())
    }

    /// Ends a row of so many levels, if there is one: one for each number, or one if there is none at all.
    fn end_row(&mut self, n_levels: Option<usize>, width: usize) -> Option<()> {
        match n_levels {
            None => {}
            Some(1) => self.lengths.push(0),
            Some(n) if n.is_multiple_of(width) => self.lengths.push(n / width),
            Some(_) => return None,
        }
        Some(())
    }
}

/// Levels at the beginning of a page, and what follows them.
fn levels(page: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = page.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

/// Runs of equal levels: how many, and which. `None` for packed levels, which we do not write, and nonsense.
fn runs(mut levels: &[u8]) -> impl Iterator<Item = Option<(usize, u8)>> {
    iter::from_fn(move || {
        if levels.is_empty() {
            return None;
        }
        let mut next = || {
            let (&byte, rest) = levels.split_first()?;
            levels = rest;
            Some(byte)
        };
        let mut run = || {
            let mut header = 0;
            for shift in (0..35).step_by(7) {
                let byte = next()?;
                header |= usize::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    break;
                }
            }
            let level = next()?;
            (header & 1 == 0 && level <= NUMBER).then_some((header >> 1, level))
        };
        let run = run();
        if run.is_none() {
            levels = &[];
        }
        Some(run)
    })
}
