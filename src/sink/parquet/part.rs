//! A part: a Parquet file of the rows of a run.

use super::{
    super::{Ended, HashedFile, OutputPlan, PartWriter, SinkError, Spare, columns::Columns},
    rows_writer::RowsWriter,
    shorten::RowGroups,
};
use crate::batch::{Rows, WINDOW_TEXT_BYTES};
use arrow_array::RecordBatch;
use std::path::PathBuf;

/// Writes a part.
struct ParquetPart {
    rows: RowsWriter,
    columns: Columns,
    /// The output, for errors.
    path: PathBuf,
}

/// Begins a Parquet file.
///
/// # Errors
/// If the file system refuses.
pub(in super::super) fn part_writer(
    plan: &OutputPlan,
    file: HashedFile,
    metadata: &[(String, String)],
    spare: &Spare,
) -> Result<Box<dyn PartWriter>, SinkError> {
    let columns = Columns::new(&plan.question, plan.hidden_size, plan.more);
    let columns = columns.with_spare(spare.clone());
    let path = plan.target.path.clone();
    let vector_bytes = plan.question.vector_bytes(plan.hidden_size);
    let (schema, values) = (columns.schema(), columns.value_paths());
    let rows = RowsWriter::begin(file, schema, values, vector_bytes, metadata);
    Ok(Box::new(ParquetPart {
        rows: rows.map_err(|error| SinkError::parquet(&path, error))?,
        columns,
        path,
    }))
}

impl PartWriter for ParquetPart {
    fn write(&mut self, mut rows: Rows) -> Result<Vec<RecordBatch>, SinkError> {
        let mut held = Vec::new();
        while !rows.is_empty() {
            // Its text fits into an array.
            let piece = rows.take_text(WINDOW_TEXT_BYTES);
            let piece = self.columns.record_batch(piece);
            let piece = piece.map_err(|error| SinkError::parquet(&self.path, error.into()))?;
            held.push(piece.clone());
            self.write_again(piece)?;
        }
        Ok(held)
    }

    fn write_again(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let taken = self.rows.take(rows);
        taken.map_err(|error| SinkError::parquet(&self.path, error))
    }

    fn n_bytes(&self) -> u64 {
        self.rows.n_bytes()
    }

    fn n_rows_in_file(&self) -> u64 {
        self.rows.n_rows_in_file()
    }

    fn has_failed(&self) -> bool {
        self.rows.has_failed()
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<Ended, SinkError> {
        let ended = self.rows.end(metadata);
        let (groups, file) = ended.map_err(|error| SinkError::parquet(&self.path, error))?;
        Ok(Ended {
            file: file.map_err(|error| SinkError::io("write", &self.path, error)),
            shorter: Box::new(RowGroups::new(groups, self.path)),
        })
    }
}
