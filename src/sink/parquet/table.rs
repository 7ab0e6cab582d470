//! A Parquet file of rows that were written before, in whatever file.

use super::{
    super::{
        HashedFile, SinkError, TableWriter,
        formats::{Files, VectorColumn, vector_columns},
    },
    rows_writer::RowsWriter,
};
use crate::job::ExportOptions;
use ::parquet::errors::ParquetError;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::sync::Arc;

struct ParquetTable(RowsWriter);

/// Begins a file.
///
/// # Errors
/// If the file system refuses.
pub(in super::super) fn begin(
    files: Files,
    _options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let vectors = vector_columns(schema);
    let paths = vectors.iter().map(VectorColumn::path_of_numbers);
    let vector_bytes = vectors.iter().map(VectorColumn::vector_bytes).sum();
    let schema = Arc::new(Schema::new(schema.fields().clone()));
    let file = HashedFile::new(files.main);
    let rows = RowsWriter::begin(file, schema, paths, vector_bytes, &[]);
    Ok(Box::new(ParquetTable(rows.map_err(refused)?)))
}

fn refused(error: ParquetError) -> SinkError {
    let unfit = |error| SinkError::Unfit {
        message: format!("cannot be written as Parquet: {error}"),
        hint: crate::hint::REPORT_IT.to_owned(),
    };
    match error {
        ParquetError::External(external) => match external.downcast() {
            Ok(error) => SinkError::writing(*error),
            Err(external) => unfit(ParquetError::External(external)),
        },
        error => unfit(error),
    }
}

impl TableWriter for ParquetTable {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.0.take(rows.clone()).map_err(refused)?;
        match self.0.failure() {
            Some(error) => Err(SinkError::writing(error)),
            None => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let (_, file) = self.0.end(metadata).map_err(refused)?;
        file.map(drop).map_err(SinkError::writing)
    }
}
