//! What a model answered for some sequences, of any length each.

use super::Row;
use std::ops::Range;

/// Sequences and what a model answered for each. n is the number of sequences.
///
/// The values of a sequence are `[layers, vectors, hidden_size]`: one vector a layer where a sequence is
/// pooled. Rows need not be of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The sequences, `[n]`.
    pub meta: Vec<Row>,
    /// The values of all rows, one after the other.
    pub values: Vec<f32>,
    /// Where the values of each row begin, and the end of the last one, `[n + 1]`.
    pub offsets: Vec<usize>,
}

/// Values that are not those of the rows. It is always a bug of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{n_rows} rows have {n_values} values and {n_offsets} offsets that do not fit together")]
pub struct RowsError {
    /// Rows.
    pub n_rows: usize,
    /// Values found.
    pub n_values: usize,
    /// Offsets found: there is one more than rows.
    pub n_offsets: usize,
}

impl Rows {
    /// Joins sequences with their values.
    ///
    /// # Errors
    /// If `offsets` do not divide `values` into as many rows.
    pub fn new(meta: Vec<Row>, values: Vec<f32>, offsets: Vec<usize>) -> Result<Self, RowsError> {
        let fits = offsets.len() == meta.len() + 1
            && offsets.first() == Some(&0)
            && offsets.last() == Some(&values.len())
            && offsets.is_sorted();
        if fits {
            Ok(Self {
                meta,
                values,
                offsets,
            })
        } else {
            Err(RowsError {
                n_rows: meta.len(),
                n_values: values.len(),
                n_offsets: offsets.len(),
            })
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }

    /// Where the values of a row are.
    pub fn range(&self, row: usize) -> Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }

    /// The values of a row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[self.range(row)]
    }

    /// Adds a row at the end.
    pub fn push(&mut self, meta: Row, values: &[f32]) {
        self.meta.push(meta);
        self.values.extend_from_slice(values);
        self.offsets.push(self.values.len());
    }

    /// Bytes of the values and texts of a row.
    pub fn n_bytes(meta: &Row, values: &[f32]) -> usize {
        size_of_val(values) + meta.text_bytes()
    }

    /// The first sequence with a value that is no number.
    pub fn first_not_finite(&self) -> Option<&Row> {
        let row = |n: &usize| self.row(*n).iter().any(|value| !value.is_finite());
        (0..self.len()).find(row).map(|n| &self.meta[n])
    }

    /// Takes rows from the beginning, those that hold `most_bytes` of text together, at least one.
    pub fn take_text(&mut self, most_bytes: usize) -> Self {
        let mut n_bytes = 0;
        let mut fits = |row: &Row| {
            n_bytes += row.text_bytes();
            n_bytes <= most_bytes
        };
        let n_rows = self.meta.iter().take_while(|row| fits(row)).count();
        self.take(n_rows.max(1))
    }

    /// Takes `n_rows` rows from the beginning, all if there are no more.
    pub fn take(&mut self, n_rows: usize) -> Self {
        if n_rows >= self.len() {
            return std::mem::take(self);
        }
        let n_values = self.offsets[n_rows];
        let mut offsets = self.offsets.split_off(n_rows);
        self.offsets.push(n_values);
        offsets.iter_mut().for_each(|offset| *offset -= n_values);
        let rest = Self {
            meta: self.meta.split_off(n_rows),
            values: self.values.split_off(n_values),
            offsets,
        };
        std::mem::replace(self, rest)
    }
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            meta: Vec::new(),
            values: Vec::new(),
            offsets: vec![0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64, n_bytes: usize) -> Row {
        Row {
            index,
            id: "i".repeat(n_bytes / 2),
            description: "d".repeat(n_bytes - n_bytes / 2),
            length: 1,
            truncated: false,
            piece: None,
        }
    }

    #[test]
    fn rows_are_taken_by_the_bytes_of_their_text() {
        let sizes = [3, 4, 20, 1, 9, 0];
        let mut rows = Rows::default();
        for (index, n_bytes) in (0..).zip(sizes) {
            // Each has as many values as its index, and one more.
            rows.push(row(index, n_bytes), &vec![index as f32; index as usize + 1]);
        }
        let mut taken = Vec::new();
        while !rows.is_empty() {
            let piece = rows.take_text(10);
            for (n, meta) in piece.meta.iter().enumerate() {
                assert_eq!(
                    piece.row(n),
                    vec![meta.index as f32; meta.index as usize + 1]
                );
            }
            taken.push(piece.len());
        }
        assert_eq!(taken, [2, 1, 3]);
        assert_eq!(rows, Rows::default());
    }

    #[test]
    fn values_must_be_those_of_the_rows() {
        let check = |n_values: usize, offsets: &[usize], fits: bool| {
            let meta = vec![row(0, 0), row(1, 0)];
            let rows = Rows::new(meta, vec![0.0; n_values], offsets.to_vec());
            assert_eq!(rows.is_ok(), fits, "{n_values} {offsets:?}");
        };
        check(5, &[0, 3, 5], true);
        check(3, &[0, 3, 3], true);
        check(6, &[0, 3, 5], false);
        check(5, &[0, 5], false);
        check(5, &[1, 3, 5], false);
        check(5, &[0, 6, 5], false);
    }

    #[test]
    fn what_is_no_number_is_found() {
        let mut rows = Rows::default();
        rows.push(row(0, 0), &[1.0, f32::MAX]);
        rows.push(row(1, 0), &[]);
        assert_eq!(rows.first_not_finite(), None);
        rows.push(row(2, 0), &[1.0, f32::NAN]);
        rows.push(row(3, 0), &[f32::INFINITY]);
        assert_eq!(rows.first_not_finite().map(|row| row.index), Some(2));
    }
}
