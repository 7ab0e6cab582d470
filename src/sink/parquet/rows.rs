//! The rows of a part, a few at a time.

use super::{
    check::{batch_rows, check_content},
    file::{ParquetFile, damage},
};
use crate::sink::SinkError;
use ::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::{path::Path, sync::Arc};

/// The rows of a file that holds what was written into it.
pub(in super::super) struct RowsOfFile<'a> {
    path: &'a Path,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
}

impl<'a> RowsOfFile<'a> {
    /// Opens a file, and compares its data with their checksum.
    ///
    /// # Errors
    /// - If the file does not hold what was written.
    /// - If the file system refuses.
    pub(in super::super) fn open(path: &'a Path) -> Result<Self, SinkError> {
        let damaged = |message| SinkError::damaged_part(path, message);
        let file = ParquetFile::open(path)?;
        let file = file.ok_or_else(|| damaged("is not a Parquet file any more".to_owned()))?;
        let metadata = file.metadata.map_err(|error| damaged(damage(&error)))?;
        check_content(&file.file, &metadata).map_err(damaged)?;
        let rows = metadata.row_groups().iter().map(batch_rows).min();
        let read = || {
            let options = ArrowReaderOptions::new();
            let metadata = ArrowReaderMetadata::try_new(Arc::new(metadata), options)?;
            ParquetRecordBatchReaderBuilder::new_with_metadata(file.file, metadata)
                .with_batch_size(rows.unwrap_or(1))
                .build()
        };
        let reader = read().map_err(|error| damaged(format!("cannot be decoded: {error}")))?;
        Ok(Self {
            path,
            schema: arrow_array::RecordBatchReader::schema(&reader),
            reader,
        })
    }

    /// Where the file is.
    pub(in super::super) fn path(&self) -> &Path {
        self.path
    }

    /// The columns.
    pub(in super::super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for RowsOfFile<'_> {
    type Item = Result<RecordBatch, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.reader.next()?;
        Some(rows.map_err(|error| {
            SinkError::damaged_part(self.path, format!("cannot be decoded: {error}"))
        }))
    }
}
