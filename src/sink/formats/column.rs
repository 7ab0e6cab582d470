//! Columns of vectors, as numbers that follow each other.

use super::super::{SinkError, contacts};
use crate::job::{ExportOptions, OutputFormat};
use arrow_array::{
    Array, ArrayRef, RecordBatch, StringArray,
    cast::AsArray,
    types::{Float16Type, Float32Type},
};
use arrow_schema::{DataType, Schema};
use std::ops::Range;

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    F32,
    F16,
}

/// A column of vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct VectorColumn {
    pub(in super::super) name: String,
    /// Which of all columns it is.
    index: usize,
    pub(super) number: Number,
    /// Components of a vector. Nothing, if a sequence has a matrix whose size depends on its length: its numbers follow
    /// each other.
    pub(super) width: Option<usize>,
    /// Whether a sequence has many vectors, or numbers.
    pub(super) is_many: bool,
}

impl Number {
    pub(super) fn n_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// The columns of vectors, in their order.
pub(in super::super) fn vector_columns(schema: &Schema) -> Vec<VectorColumn> {
    let fields = schema.fields().iter().enumerate();
    fields
        .filter_map(|(index, field)| {
            let (number, width, is_many) = shape(field.data_type())?;
            Some(VectorColumn {
                name: field.name().clone(),
                index,
                number,
                width,
                is_many,
            })
        })
        .collect()
}

/// The columns of vectors that are written in a format that has no room for others.
///
/// # Errors
/// If there are none, or there are pairs of residues, and nobody said that they may be left out.
pub(super) fn vectors_alone(
    schema: &Schema,
    format: OutputFormat,
    options: &ExportOptions,
) -> Result<Vec<VectorColumn>, SinkError> {
    let columns = vector_columns(schema);
    let title = format.title();
    let has_pairs = contacts::are_in(schema);
    if columns.is_empty() || has_pairs && options.columns.is_empty() {
        let of_pairs = "write `.parquet`, of which `contact_table` makes CSV, or `.arrow`";
        let (message, hint) = match (has_pairs, columns.is_empty()) {
            (true, true) => (
                format!("pairs of residues cannot be written as {title}"),
                of_pairs.to_owned(),
            ),
            (true, false) => (
                format!("pairs of residues cannot be written as {title}"),
                format!(
                    "{of_pairs}; or name the columns to write: `columns` of `export`, `--columns` of \
                     `runner export`"
                ),
            ),
            (false, _) => (
                format!("there are no vectors to write as {title}"),
                "export a file of embeddings that `embed` wrote".to_owned(),
            ),
        };
        return Err(SinkError::Unfit { message, hint });
    }
    Ok(columns)
}

/// Whether a sequence has many vectors in one of the columns.
pub(in super::super) fn has_many(schema: &Schema) -> bool {
    vector_columns(schema).iter().any(|column| column.is_many)
}

fn shape(data_type: &DataType) -> Option<(Number, Option<usize>, bool)> {
    match data_type {
        DataType::FixedSizeList(item, width) => {
            let width = usize::try_from(*width).ok()?;
            Some((number(item.data_type())?, Some(width), false))
        }
        DataType::List(item) => match item.data_type() {
            DataType::List(row) => Some((number(row.data_type())?, None, true)),
            vector => {
                let (number, width, is_many) = shape(vector)?;
                (!is_many).then_some((number, width, true))
            }
        },
        _ => None,
    }
}

fn number(data_type: &DataType) -> Option<Number> {
    match data_type {
        DataType::Float32 => Some(Number::F32),
        DataType::Float16 => Some(Number::F16),
        _ => None,
    }
}

impl VectorColumn {
    /// Where its numbers are in a Parquet schema.
    pub(in super::super) fn path_of_numbers(&self) -> Vec<String> {
        let mut path = vec![self.name.clone()];
        for _ in 0..=usize::from(self.is_many) {
            path.extend(["list".to_owned(), "item".to_owned()]);
        }
        path
    }

    /// Bytes of the one vector of a sequence, if it has one.
    pub(in super::super) fn vector_bytes(&self) -> usize {
        match self.is_many {
            true => 0,
            false => self.width.unwrap_or(0) * self.number.n_bytes(),
        }
    }

    /// The bytes of all numbers in these rows, as they lie in memory: little-endian on all machines that this program
    /// is built for.
    ///
    /// # Errors
    /// If the rows have another column there.
    pub(super) fn bytes<'a>(&self, rows: &'a RecordBatch) -> Result<&'a [u8], SinkError> {
        let bytes = self
            .array(rows)
            .and_then(|array| bytes(array, 0..array.len()));
        bytes.ok_or_else(|| self.other())
    }

    /// How many vectors each row has, or numbers of a matrix.
    ///
    /// # Errors
    /// If the rows have another column there.
    pub(super) fn counts(&self, rows: &RecordBatch) -> Result<Vec<u64>, SinkError> {
        self.array(rows)
            .and_then(|array| self.counts_of(array))
            .ok_or_else(|| self.other())
    }

    fn counts_of(&self, array: &ArrayRef) -> Option<Vec<u64>> {
        if !self.is_many {
            return Some(vec![1; array.len()]);
        }
        let lists = array.as_list_opt::<i32>()?;
        let ends = lists.value_offsets();
        let inner = match self.width {
            Some(_) => None,
            None => Some(lists.values().as_list_opt::<i32>()?.value_offsets()),
        };
        let at = |end: i32| match inner {
            Some(inner) => inner.get(usize::try_from(end).ok()?).copied(),
            None => Some(end),
        };
        let counts = ends.windows(2).map(|pair| {
            let count = at(pair[1])? - at(pair[0])?;
            u64::try_from(count).ok()
        });
        counts.collect()
    }

    fn array<'a>(&self, rows: &'a RecordBatch) -> Option<&'a ArrayRef> {
        rows.columns().get(self.index)
    }

    fn other(&self) -> SinkError {
        SinkError::Unfit {
            message: format!("the rows have another column than `{}`", self.name),
            hint: crate::hint::REPORT_IT.to_owned(),
        }
    }
}

/// The bytes of the numbers in a range of an array's entries.
fn bytes(array: &ArrayRef, range: Range<usize>) -> Option<&[u8]> {
    match array.data_type() {
        DataType::FixedSizeList(_, _) => {
            let lists = array.as_fixed_size_list_opt()?;
            let width = usize::try_from(lists.value_length()).ok()?;
            let first = lists.value_offset_at(0);
            bytes(
                lists.values(),
                first + range.start * width..first + range.end * width,
            )
        }
        DataType::List(_) => {
            let lists = array.as_list_opt::<i32>()?;
            let offset = |n: usize| usize::try_from(*lists.value_offsets().get(n)?).ok();
            bytes(lists.values(), offset(range.start)?..offset(range.end)?)
        }
        DataType::Float32 => {
            let numbers = array.as_primitive_opt::<Float32Type>()?.values();
            let bytes = numbers.inner().as_slice();
            bytes.get(range.start * 4..range.end * 4)
        }
        DataType::Float16 => {
            let numbers = array.as_primitive_opt::<Float16Type>()?.values();
            let bytes = numbers.inner().as_slice();
            bytes.get(range.start * 2..range.end * 2)
        }
        _ => None,
    }
}

/// The ids of these rows.
///
/// # Errors
/// If they have none.
pub(super) fn ids(rows: &RecordBatch) -> Result<&StringArray, SinkError> {
    let ids = rows
        .column_by_name("id")
        .and_then(|ids| ids.as_string_opt::<i32>());
    ids.ok_or_else(|| SinkError::Unfit {
        message: "there is no column `id`".to_owned(),
        hint: "export a file that `embed` wrote".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder, ListBuilder};
    use std::sync::Arc;

    fn numbers(bytes: &[u8]) -> Vec<f32> {
        let chunks = bytes.chunks_exact(4);
        chunks
            .map(|chunk| f32::from_le_bytes(chunk.try_into().unwrap()))
            .collect()
    }

    /// A vector, its residues' vectors, and a matrix for sequences of so many residues.
    fn rows(lengths: &[u32]) -> RecordBatch {
        let mut vectors = FixedSizeListBuilder::new(Float32Builder::new(), 2);
        let mut residues = ListBuilder::new(FixedSizeListBuilder::new(Float32Builder::new(), 2));
        let mut contacts = ListBuilder::new(ListBuilder::new(Float32Builder::new()));
        for (n_row, length) in lengths.iter().enumerate() {
            let base = 100.0 * n_row as f32;
            vectors.values().append_slice(&[base, base + 1.0]);
            vectors.append(true);
            for residue in 0..*length {
                let first = base + residue as f32;
                residues.values().values().append_slice(&[first, first]);
                residues.values().append(true);
                let row = vec![first; *length as usize];
                contacts.values().values().append_slice(&row);
                contacts.values().append(true);
            }
            residues.append(true);
            contacts.append(true);
        }
        let columns: [(&str, ArrayRef); 3] = [
            ("embedding", Arc::new(vectors.finish())),
            ("residues", Arc::new(residues.finish())),
            ("contacts", Arc::new(contacts.finish())),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn numbers_of_slices_are_those_of_their_rows() {
        let rows = rows(&[1, 2, 0, 3]);
        let columns = vector_columns(&rows.schema());
        let found: Vec<_> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.width, column.is_many))
            .collect();
        assert_eq!(
            found,
            [
                ("embedding", Some(2), false),
                ("residues", Some(2), true),
                ("contacts", None, true)
            ]
        );
        let check = |from: usize, n: usize, counts: [&[u64]; 3], expect: [&[f32]; 3]| {
            let rows = rows.slice(from, n);
            for ((column, counts), expect) in columns.iter().zip(counts).zip(expect) {
                assert_eq!(column.counts(&rows).unwrap(), counts, "{}", column.name);
                let found = numbers(column.bytes(&rows).unwrap());
                assert_eq!(found, expect, "{}", column.name);
            }
        };
        check(
            1,
            2,
            [&[1, 1], &[2, 0], &[4, 0]],
            [
                &[100.0, 101.0, 200.0, 201.0],
                &[100.0, 100.0, 101.0, 101.0],
                &[100.0, 100.0, 101.0, 101.0],
            ],
        );
        check(2, 1, [&[1], &[0], &[0]], [&[200.0, 201.0], &[], &[]]);
        check(4, 0, [&[], &[], &[]], [&[], &[], &[]]);
    }

    #[test]
    fn another_table_is_refused() {
        let columns = vector_columns(&rows(&[1]).schema());
        let other = rows(&[1]).project(&[0]).unwrap();
        assert!(columns[1].bytes(&other).is_err());
        assert!(ids(&other).is_err());
    }
}
