//! The rows of a file that is no table, put together a few at a time.
//!
//! They have the columns of parts, as far as the file has what is in them.

use super::super::{
    Checked, SinkError, Spare, TableRows,
    columns::{AnswerColumn, text_field},
};
use crate::{
    batch::{Ragged, Values},
    job::{Form, OutputDtype},
};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use half::f16;
use std::{io, path::Path, sync::Arc};

/// Bytes of rows, about, that are in memory at a time, and how many rows there are of them at most.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_ROWS: usize = 4096;

/// A column of vectors in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredColumn {
    pub(super) name: String,
    pub(super) dtype: OutputDtype,
    pub(super) form: Form,
}

/// A file that is no table.
pub(super) struct StoredTable {
    pub(super) columns: Vec<StoredColumn>,
    pub(super) has_sequences: bool,
    pub(super) rows: Box<dyn RowSource>,
}

/// The rows of a file, one after the other.
pub(super) trait RowSource {
    /// Adds the next row to others. Whether there was one.
    ///
    /// # Errors
    /// If the file cannot be read.
    fn read(&mut self, rows: &mut RowBuffer) -> io::Result<bool>;
}

/// Rows that were read.
pub(super) struct RowBuffer {
    pub(super) ids: Vec<String>,
    /// None, where the file has none.
    pub(super) descriptions: Vec<String>,
    /// None, where the file has none.
    pub(super) sequences: Vec<String>,
    /// The numbers of each column in bytes.
    pub(super) columns: Vec<Vec<u8>>,
    /// Where in the bytes of each column those of a row end.
    ends: Vec<Vec<usize>>,
}

/// Opens a file without looking at more than what it says of itself.
pub(super) type OpenStored = fn(&Path) -> Result<StoredTable, SinkError>;

/// Begins to read the rows of a file, after it was compared with its checksum.
///
/// # Errors
/// - If it does not hold what was written, or not all rows.
/// - If the file system refuses.
pub(super) fn rows(
    path: &Path,
    check: fn(&Path) -> Result<Checked, SinkError>,
    open: OpenStored,
) -> Result<TableRows<'_>, SinkError> {
    if let Some(problem) = check(path)?.problems.into_iter().next() {
        return Err(SinkError::damaged_part(path, problem));
    }
    open(path).map(|table| table.into_rows(path))
}

impl StoredTable {
    /// The columns of its rows.
    pub(super) fn schema(&self) -> SchemaRef {
        let mut fields = vec![text_field("id"), text_field("description")];
        fields.extend(self.has_sequences.then(|| text_field("sequence")));
        let columns = self.columns.iter();
        fields.extend(columns.flat_map(|column| column.as_answer().fields()));
        Arc::new(Schema::new(fields))
    }

    fn into_rows(mut self, path: &Path) -> TableRows<'_> {
        let schema = self.schema();
        let of_rows = schema.clone();
        let mut is_over = false;
        let rows = std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let batch = self.next(&of_rows);
            is_over = !matches!(batch, Ok(Some(_)));
            let cannot =
                |error| SinkError::damaged_part(path, format!("cannot be decoded: {error}"));
            batch.map_err(cannot).transpose()
        });
        TableRows {
            schema,
            rows: Box::new(rows),
        }
    }

    /// The next rows.
    fn next(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>, ArrowError> {
        let mut rows = RowBuffer::new(self.columns.len());
        while !rows.is_full() && self.rows.read(&mut rows)? {
            rows.end_row();
        }
        match rows.ids.is_empty() {
            true => Ok(None),
            false => rows
                .into_batch(&self.columns, self.has_sequences, schema)
                .map(Some),
        }
    }
}

impl StoredColumn {
    fn as_answer(&self) -> AnswerColumn {
        AnswerColumn::new(self.name.clone(), self.form, self.dtype)
    }
}

impl RowBuffer {
    fn new(n_columns: usize) -> Self {
        Self {
            ids: Vec::new(),
            descriptions: Vec::new(),
            sequences: Vec::new(),
            columns: vec![Vec::new(); n_columns],
            ends: vec![vec![0]; n_columns],
        }
    }

    fn is_full(&self) -> bool {
        let n_bytes: usize = self.columns.iter().map(Vec::len).sum();
        n_bytes >= BATCH_BYTES || self.ids.len() >= BATCH_ROWS
    }

    fn end_row(&mut self) {
        for (bytes, ends) in self.columns.iter().zip(&mut self.ends) {
            ends.push(bytes.len());
        }
    }

    fn into_batch(
        mut self,
        columns: &[StoredColumn],
        has_sequences: bool,
        schema: &SchemaRef,
    ) -> Result<RecordBatch, ArrowError> {
        let texts =
            |texts: &[String]| -> ArrayRef { Arc::new(StringArray::from_iter_values(texts)) };
        self.descriptions.resize(self.ids.len(), String::new());
        let mut arrays = vec![texts(&self.ids), texts(&self.descriptions)];
        arrays.extend(has_sequences.then(|| texts(&self.sequences)));
        for ((column, bytes), mut ends) in columns.iter().zip(self.columns).zip(self.ends) {
            let number_bytes = column.dtype.bytes();
            ends.iter_mut().for_each(|end| *end /= number_bytes);
            let values = values(&bytes, column.dtype);
            let numbers = Ragged {
                values,
                offsets: ends,
            };
            arrays.extend(column.as_answer().arrays(numbers, &Spare::default())?);
        }
        RecordBatch::try_new(schema.clone(), arrays)
    }
}

/// Numbers as they are in a file.
fn values(bytes: &[u8], dtype: OutputDtype) -> Values {
    match dtype {
        OutputDtype::F16 => {
            let chunks = bytes.as_chunks().0.iter();
            Values::F16(chunks.map(|bytes| f16::from_le_bytes(*bytes)).collect())
        }
        OutputDtype::F32 => {
            let chunks = bytes.as_chunks().0.iter();
            Values::F32(chunks.map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
    }
}
