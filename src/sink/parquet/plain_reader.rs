//! Column chunks of vectors of residues, read as fast as memory is copied, where they lie in a file as we write them.

use super::{
    page_header::read_page_header,
    plain::{NUMBER, ROW, is_plain},
};
use crate::sink::Spare;
use ::parquet::{
    basic::{Compression, Encoding},
    file::metadata::RowGroupMetaData,
};
use arrow_array::{ArrayRef, FixedSizeListArray, Float16Array, Float32Array, ListArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    iter,
    ops::Range,
    os::unix::fs::FileExt as _,
    sync::Arc,
};

/// Bytes that are read to know a page's levels, unless it has more of them: its numbers are read to where they stay.
const FRONT_BYTES: usize = 16 << 10;
/// At what multiples of bytes numbers lie in memory.
const ALIGNMENT: usize = size_of::<f32>();

/// The vectors of a row group. `None` if its column is not one that is read here, or is damaged: the general reader
/// says how.
pub(super) fn read(
    file: &File,
    group: &RowGroupMetaData,
    n_column: usize,
    field: &Field,
    spare: &Spare,
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
        numbers: spare.take(usize::try_from(column.uncompressed_size()).ok()?),
    };
    let (mut at, n_bytes) = column.byte_range();
    let end = at.checked_add(n_bytes)?;
    let mut front = Vec::new();
    while at < end {
        at = rows.add(file, at..end, &mut front, width * number_bytes, width)?;
    }
    let n_vectors: usize = rows.lengths.iter().sum();
    if rows.lengths.len() != n_rows || i32::try_from(n_vectors).is_err() {
        return None;
    }
    let n_numbers = n_vectors * width;
    let buffer = Buffer::from_vec(rows.numbers);
    spare.keep(&buffer);
    if buffer.as_ptr().align_offset(ALIGNMENT) != 0 {
        return None;
    }
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
    numbers: Vec<u8>,
}

impl Rows {
    /// Adds those of the page at the beginning of a range of the file, and tells where it ends.
    fn add(
        &mut self,
        mut file: &File,
        range: Range<u64>,
        front: &mut Vec<u8>,
        vector_bytes: usize,
        width: usize,
    ) -> Option<u64> {
        let n_left = usize::try_from(range.end - range.start).ok()?;
        front.resize(FRONT_BYTES.min(n_left), 0);
        file.read_exact_at(front, range.start).ok()?;
        let (header, rest) = read_page_header(front)?;
        let header_bytes = front.len() - rest.len();
        let end = header_bytes.checked_add(header.n_bytes)?;
        if end > n_left {
            return None;
        }
        // The repetition levels are shorter than the page, and the definition levels are a few runs.
        let (size, _) = rest.split_first_chunk::<4>()?;
        let most = header_bytes + u32::from_le_bytes(*size) as usize + FRONT_BYTES;
        if most > front.len() && front.len() < end {
            front.resize(most.min(end), 0);
            file.read_exact_at(front, range.start).ok()?;
        }
        let (repetition, rest) = levels(front.get(header_bytes..)?)?;
        let (_, rest) = levels(rest)?;
        let n_before = self.lengths.len();
        let n_levels = self.add_lengths(repetition, width)?;
        let n_vectors: usize = self.lengths[n_before..].iter().sum();
        let numbers_at = front.len() - rest.len();
        let n_bytes = end - numbers_at;
        if n_bytes != n_vectors * vector_bytes || n_levels != header.n_values {
            return None;
        }
        file.seek(SeekFrom::Start(range.start + numbers_at as u64))
            .ok()?;
        let n_read = file.take(n_bytes as u64).read_to_end(&mut self.numbers);
        (n_read.ok()? == n_bytes).then_some(range.start + end as u64)
    }

    /// Adds the lengths of the rows of a page, and tells how many levels it has.
    fn add_lengths(&mut self, repetition: &[u8], width: usize) -> Option<usize> {
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
        Some(n_levels)
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
