//! The rows of a part, a few at a time.

use super::{
    check::check_content,
    file::{ParquetFile, damage},
    group::{Groups, RowsOfGroup},
};
use crate::sink::{SinkError, Spare};
use ::parquet::file::metadata::ParquetMetaData;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::{fs::File, path::Path, sync::Arc};

/// The rows of a file that holds what was written into it.
pub(in super::super) struct RowsOfFile<'a> {
    path: &'a Path,
    groups: Groups,
    /// Row groups that were begun.
    n_begun: usize,
    /// The rest of the last one of them.
    rest: Option<RowsOfGroup>,
}

/// The columns of a file, whatever else is in it.
///
/// # Errors
/// - If it is damaged.
/// - If the file system refuses.
pub(in super::super) fn schema_of(path: &Path) -> Result<SchemaRef, SinkError> {
    let (file, metadata) = opened(path)?;
    Ok(groups(path, file, metadata)?.schema().clone())
}

fn opened(path: &Path) -> Result<(File, ParquetMetaData), SinkError> {
    let damaged = |message| SinkError::damaged_part(path, message);
    let file = ParquetFile::open(path)?;
    let file = file.ok_or_else(|| damaged("is not a Parquet file any more".to_owned()))?;
    let metadata = file.metadata.map_err(|error| damaged(damage(&error)))?;
    Ok((file.file, metadata))
}

fn groups(path: &Path, file: File, metadata: ParquetMetaData) -> Result<Groups, SinkError> {
    let groups = Groups::new(file, Arc::new(metadata));
    groups.map_err(|error| SinkError::damaged_part(path, format!("cannot be decoded: {error}")))
}

impl<'a> RowsOfFile<'a> {
    /// Opens a file, and compares its data with their checksum.
    ///
    /// # Errors
    /// - If the file does not hold what was written.
    /// - If the file system refuses.
    pub(in super::super) fn open(path: &'a Path) -> Result<Self, SinkError> {
        let (file, metadata) = opened(path)?;
        check_content(&file, &metadata)
            .map_err(|message| SinkError::damaged_part(path, message))?;
        Ok(Self {
            path,
            groups: groups(path, file, metadata)?,
            n_begun: 0,
            rest: None,
        })
    }

    /// The memory that its rows are read into.
    pub(in super::super) fn spare(&self) -> Spare {
        self.groups.spare.clone()
    }

    /// As it is, read into memory of another one.
    pub(in super::super) fn with_spare(mut self, spare: Spare) -> Self {
        self.groups.spare = spare;
        self
    }

    /// Where the file is.
    pub(in super::super) fn path(&self) -> &Path {
        self.path
    }

    /// The columns.
    pub(in super::super) fn schema(&self) -> &SchemaRef {
        self.groups.schema()
    }
}

impl Iterator for RowsOfFile<'_> {
    type Item = Result<RecordBatch, SinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rows = match &mut self.rest {
                Some(rest) => rest.next(),
                None => None,
            };
            let failed = match rows {
                Some(Ok(rows)) => return Some(Ok(rows)),
                Some(Err(error)) => error,
                None if self.n_begun == self.groups.len() => return None,
                None => {
                    self.n_begun += 1;
                    match self.groups.read(self.n_begun - 1) {
                        Ok(rows) => {
                            self.rest = Some(rows);
                            continue;
                        }
                        Err(error) => error,
                    }
                }
            };
            let message = format!("cannot be decoded: {failed}");
            return Some(Err(SinkError::damaged_part(self.path, message)));
        }
    }
}
