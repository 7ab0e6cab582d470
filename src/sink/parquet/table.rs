//! A Parquet file of rows that were written before, in whatever file.

use super::{
    super::{
        HashedFile, SinkError, TableWriter,
        formats::{Files, VectorColumn, vector_columns},
    },
    entries::{key_values, of_content},
    part::properties,
    row_group::ROW_GROUP_BYTES,
};
use crate::job::ExportOptions;
use ::parquet::{arrow::ArrowWriter, errors::ParquetError};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::sync::Arc;

struct ParquetTable(ArrowWriter<HashedFile>);

/// Begins a file.
///
/// # Errors
/// If the file system refuses.
pub(in super::super) fn begin(
    files: Files,
    _options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let paths = vector_columns(schema);
    let properties = properties(paths.iter().map(VectorColumn::path_of_numbers), &[]);
    let schema = Arc::new(Schema::new(schema.fields().clone()));
    let writer = ArrowWriter::try_new(HashedFile::new(files.main), schema, Some(properties));
    Ok(Box::new(ParquetTable(writer.map_err(refused)?)))
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
        self.0.write(rows).map_err(refused)?;
        if self.0.in_progress_size() >= ROW_GROUP_BYTES {
            self.0.flush().map_err(refused)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let mut finish = || {
            self.0.flush()?;
            self.0.sync()?;
            let content = self.0.inner();
            let content = of_content(content.n_bytes(), content.hash());
            for entry in key_values(metadata).chain(content) {
                self.0.append_key_value_metadata(entry);
            }
            self.0.finish().map(|_| ())
        };
        finish().map_err(refused)
    }
}
