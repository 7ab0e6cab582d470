//! What a model answered for some sequences, of any length each.

use super::{Flaw, Row, Values};
use crate::job::OutputDtype;
use std::ops::Range;

/// Sequences and what a model answered for each: for every column of the question, numbers. n is the number of
/// sequences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The sequences, `[n]`.
    pub meta: Vec<Row>,
    /// What is known of them, in the order of the question. Without rows, there may be no columns.
    pub columns: Vec<Ragged>,
}

/// A column of rows that need not be of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Ragged {
    /// The values of all rows, one after the other.
    pub values: Values,
    /// Where the values of each row begin, and the end of the last one, `[n + 1]`.
    pub offsets: Vec<usize>,
}

/// Columns that are not those of the rows. It is always a bug of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "column {column} of {n_rows} rows has {n_values} values and {n_offsets} offsets that do not fit together"
)]
pub struct RowsError {
    /// The column, from 0.
    pub column: usize,
    /// Rows.
    pub n_rows: usize,
    /// Values found.
    pub n_values: usize,
    /// Offsets found: there is one more than rows.
    pub n_offsets: usize,
}

impl Ragged {
    /// No rows of a format.
    pub fn empty(dtype: OutputDtype) -> Self {
        Self::with_room(dtype, 0)
    }

    /// No rows of a format yet, with room for so many values.
    pub fn with_room(dtype: OutputDtype, n_values: usize) -> Self {
        Self {
            values: Values::with_room(dtype, n_values),
            offsets: vec![0],
        }
    }

    /// Where the values of a row are.
    pub fn range(&self, row: usize) -> Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }

    /// Bytes of the values of a row.
    pub fn n_bytes(&self, row: usize) -> usize {
        self.range(row).len() * self.values.dtype().bytes()
    }

    /// Adds a row of `other`, which has the same format.
    pub fn push_from(&mut self, other: &Self, row: usize) {
        self.values.extend_from(&other.values, other.range(row));
        self.offsets.push(self.values.len());
    }

    /// Whether its offsets divide its values into so many rows.
    fn fits(&self, n_rows: usize) -> bool {
        self.offsets.len() == n_rows + 1
            && self.offsets.first() == Some(&0)
            && self.offsets.last() == Some(&self.values.len())
            && self.offsets.is_sorted()
    }

    /// Takes the first rows, and leaves the others.
    fn take(&mut self, n_rows: usize) -> Self {
        let n_values = self.offsets[n_rows];
        let mut offsets = self.offsets.split_off(n_rows);
        self.offsets.push(n_values);
        offsets.iter_mut().for_each(|offset| *offset -= n_values);
        let rest = Self {
            values: self.values.split_off(n_values),
            offsets,
        };
        std::mem::replace(self, rest)
    }
}

impl Rows {
    /// Joins sequences with what was answered for them.
    ///
    /// # Errors
    /// If the offsets of a column do not divide its values into as many rows.
    pub fn new(meta: Vec<Row>, columns: Vec<Ragged>) -> Result<Self, RowsError> {
        let n_rows = meta.len();
        match columns.iter().position(|column| !column.fits(n_rows)) {
            None => Ok(Self { meta, columns }),
            Some(column) => Err(RowsError {
                column,
                n_rows,
                n_values: columns[column].values.len(),
                n_offsets: columns[column].offsets.len(),
            }),
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

    /// Adds a row at the end: a sequence, and the row with this number of some columns. The first row says
    /// which columns there are.
    pub fn push_from(&mut self, meta: Row, columns: &[Ragged], row: usize) {
        if self.columns.is_empty() {
            let like = columns.iter();
            self.columns = like
                .map(|column| Ragged::empty(column.values.dtype()))
                .collect();
        }
        self.meta.push(meta);
        for (column, from) in self.columns.iter_mut().zip(columns) {
            column.push_from(from, row);
        }
    }

    /// Bytes of the values of a row.
    pub fn n_bytes(columns: &[Ragged], row: usize) -> usize {
        columns.iter().map(|column| column.n_bytes(row)).sum()
    }

    /// The first sequence with a value that is no number, and why it is none.
    pub fn first_not_finite(&self) -> Option<(&Row, Flaw)> {
        let is_finite = |row: usize| {
            let mut columns = self.columns.iter();
            columns.all(|column| column.values.are_finite(column.range(row)))
        };
        let row = (0..self.len()).find(|&row| !is_finite(row))?;
        let columns = self.columns.iter();
        let flaws = columns.filter_map(|column| column.values.flaw(column.range(row)));
        Some((self.meta.get(row)?, flaws.max()?))
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
        let rest = self.meta.split_off(n_rows);
        let columns = self.columns.iter_mut();
        Self {
            columns: columns.map(|column| column.take(n_rows)).collect(),
            meta: std::mem::replace(&mut self.meta, rest),
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
            sequence: Vec::new(),
        }
    }

    /// A column of one row.
    fn column(values: &[f32]) -> Ragged {
        Ragged {
            values: Values::F32(values.to_vec()),
            offsets: vec![0, values.len()],
        }
    }

    #[test]
    fn rows_are_taken_by_the_bytes_of_their_text() {
        let sizes = [3, 4, 20, 1, 9, 0];
        let mut rows = Rows::default();
        for (index, n_bytes) in (0..).zip(sizes) {
            // Each has as many values as its index, and one more; and one of another column.
            let columns = [
                column(&vec![index as f32; index as usize + 1]),
                column(&[-(index as f32)]),
            ];
            rows.push_from(row(index, n_bytes), &columns, 0);
        }
        let mut taken = Vec::new();
        while !rows.is_empty() {
            let piece = rows.take_text(10);
            let [first, second] = piece.columns.as_slice() else {
                panic!("there are two columns");
            };
            let mut expected = (Vec::new(), Vec::new());
            for meta in &piece.meta {
                expected
                    .0
                    .extend(vec![meta.index as f32; meta.index as usize + 1]);
                expected.1.push(-(meta.index as f32));
            }
            assert_eq!(first.values, Values::F32(expected.0));
            assert_eq!(second.values, Values::F32(expected.1));
            for (n, meta) in piece.meta.iter().enumerate() {
                assert_eq!(first.range(n).len(), meta.index as usize + 1);
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
            let second = Ragged {
                values: Values::F32(vec![0.0; n_values]),
                offsets: offsets.to_vec(),
            };
            let first = Ragged {
                values: Values::F16(Vec::new()),
                offsets: vec![0, 0, 0],
            };
            let rows = Rows::new(meta, vec![first, second]);
            assert_eq!(rows.is_ok(), fits, "{n_values} {offsets:?}");
            assert!(rows.err().is_none_or(|error| error.column == 1));
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
        rows.push_from(row(0, 0), &[column(&[1.0, f32::MAX])], 0);
        rows.push_from(row(1, 0), &[column(&[])], 0);
        assert_eq!(rows.first_not_finite(), None);
        rows.push_from(row(2, 0), &[column(&[1.0, f32::NAN])], 0);
        rows.push_from(row(3, 0), &[column(&[f32::INFINITY])], 0);
        let found = |rows: &Rows| rows.first_not_finite().map(|(row, flaw)| (row.index, flaw));
        assert_eq!(found(&rows), Some((2, Flaw::NotFinite)));
        let halves = Ragged {
            values: Values::F16(vec![half::f16::ONE, half::f16::INFINITY]),
            offsets: vec![0, 1, 2],
        };
        let rows = Rows::new(vec![row(4, 0), row(5, 0)], vec![halves]).expect("rows");
        assert_eq!(found(&rows), Some((5, Flaw::NoRoom)));
        // What is no number in another column is no question of room.
        let mut rows = rows;
        rows.columns.push(Ragged {
            values: Values::F32(vec![0.0, f32::NAN]),
            offsets: vec![0, 1, 2],
        });
        assert_eq!(found(&rows), Some((5, Flaw::NotFinite)));
    }
}
