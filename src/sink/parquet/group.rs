//! The rows of a row group.

use super::plain_reader;
use crate::{file::guarded, sink::Spare};
use ::parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
            ParquetRecordBatchReaderBuilder,
        },
    },
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use std::{fs::File, sync::Arc};

/// Bytes of rows, about, that are decoded at a time.
const BATCH_BYTES: i64 = 16 << 20;
/// Rows that are decoded at a time at most.
const MOST_BATCH_ROWS: i64 = 1024;

/// Row groups whose memory is kept: one is filled, one waits, one is written.
const MOST_SPARE: usize = 4;

/// The row groups of a file.
pub(super) struct Groups {
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
    pub(super) spare: Spare,
}

/// The rows of a row group.
pub(super) enum RowsOfGroup {
    /// All at once: vectors of residues are copied as they are.
    Copied(Option<RecordBatch>),
    /// Some at a time.
    Decoded(ParquetRecordBatchReader),
}

impl Groups {
    /// Of a file with this metadata.
    ///
    /// # Errors
    /// If it has no columns of Arrow's.
    pub(super) fn new(file: File, metadata: Arc<ParquetMetaData>) -> Result<Self, ParquetError> {
        let metadata =
            guarded(|| ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new()));
        let metadata = metadata.map_err(ParquetError::General)??;
        Ok(Self {
            file: Arc::new(file),
            metadata,
            spare: Spare::new(MOST_SPARE),
        })
    }

    /// The columns.
    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// What the file says of them.
    pub(super) fn metadata(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.metadata().num_row_groups()
    }

    /// Reads one.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub(super) fn read(&self, n_group: usize) -> Result<RowsOfGroup, ParquetError> {
        let read = guarded(|| {
            if let Some(rows) = self.copied(n_group) {
                return Ok(RowsOfGroup::Copied(Some(rows)));
            }
            let n_rows = batch_rows(self.metadata().row_group(n_group));
            let reader = self.reader(n_group, n_rows, ProjectionMask::all())?;
            Ok(RowsOfGroup::Decoded(reader))
        });
        read.map_err(ParquetError::General).flatten()
    }

    fn reader(
        &self,
        n_group: usize,
        n_rows: usize,
        columns: ProjectionMask,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        let file = self.file.try_clone()?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![n_group])
            .with_batch_size(n_rows)
            .with_projection(columns)
            .build()
    }

    /// The rows of a group that has vectors of residues, if all is as we write it.
    fn copied(&self, n_group: usize) -> Option<RecordBatch> {
        let group = self.metadata().row_group(n_group);
        let fields = self.schema().fields();
        if group.num_columns() != fields.len() {
            return None;
        }
        let columns = fields.iter().enumerate();
        let columns =
            columns.map(|(n, field)| plain_reader::read(&self.file, group, n, field, &self.spare));
        let mut columns: Vec<Option<ArrayRef>> = columns.collect();
        if columns.iter().all(Option::is_none) {
            return None;
        }
        let others = (0..columns.len()).filter(|&n| columns[n].is_none());
        let others: Vec<usize> = others.collect();
        if !others.is_empty() {
            let n_rows = usize::try_from(group.num_rows()).ok()?;
            let schema = self.metadata.parquet_schema();
            let mask = ProjectionMask::leaves(schema, others.iter().copied());
            let mut reader = self.reader(n_group, n_rows, mask).ok()?;
            let batch = reader.next()?.ok()?;
            for (n, column) in others.into_iter().zip(batch.columns()) {
                columns[n] = Some(column.clone());
            }
        }
        let columns: Option<Vec<ArrayRef>> = columns.into_iter().collect();
        RecordBatch::try_new(self.schema().clone(), columns?).ok()
    }
}

impl Iterator for RowsOfGroup {
    type Item = Result<RecordBatch, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Copied(rows) => rows.take().map(Ok),
            Self::Decoded(reader) => match guarded(|| reader.next()) {
                Ok(rows) => Some(rows?.map_err(ParquetError::from)),
                Err(message) => Some(Err(ParquetError::General(message))),
            },
        }
    }
}

/// Rows to decode at a time: as many as usual, unless they are very long.
fn batch_rows(group: &RowGroupMetaData) -> usize {
    let bytes_per_row = group.total_byte_size() / group.num_rows().max(1);
    (BATCH_BYTES / bytes_per_row.max(1)).clamp(1, MOST_BATCH_ROWS) as usize
}
