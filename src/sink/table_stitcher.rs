//! The file of many parts in a format that parts do not have: their rows are written again.

use super::{
    SinkError, Spare, Stitcher, TableWriter,
    formats::{Files, Format},
    parquet::RowsOfFile,
};
use crate::job::ExportOptions;
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::{
    path::{Path, PathBuf},
    sync::mpsc::sync_channel,
    thread,
};

/// The file of many parts in another format.
pub(super) struct TableStitcher {
    writer: Box<dyn TableWriter>,
    /// The first part, whose columns the others must have.
    first: PathBuf,
    schema: Schema,
    /// For the rows of all parts.
    spare: Spare,
}

impl TableStitcher {
    /// Begins empty files with the rows of a part.
    ///
    /// # Errors
    /// - If the part cannot be decoded, or what it holds cannot be in the format.
    /// - If the file system refuses.
    pub(super) fn begin(
        format: &Format,
        files: Files,
        options: &ExportOptions,
        rows: RowsOfFile<'_>,
    ) -> Result<Self, SinkError> {
        let mut stitcher = Self::empty(format, files, options, rows.schema(), rows.path())?;
        stitcher.spare = rows.spare();
        stitcher.copy(rows)?;
        Ok(stitcher)
    }

    /// Begins empty files for rows with these columns, which are those of `first`.
    ///
    /// # Errors
    /// - If such columns cannot be in the format.
    /// - If the file system refuses.
    pub(super) fn empty(
        format: &Format,
        files: Files,
        options: &ExportOptions,
        schema: &Schema,
        first: &Path,
    ) -> Result<Self, SinkError> {
        let schema = Schema::new(schema.fields().clone());
        Ok(Self {
            writer: (format.begin)(files, options, &schema)?,
            first: first.to_owned(),
            schema,
            spare: Spare::default(),
        })
    }

    /// Writes rows, and has the next ones read meanwhile.
    fn copy(&mut self, rows: RowsOfFile<'_>) -> Result<(), SinkError> {
        thread::scope(|scope| {
            let (sender, read) = sync_channel(1);
            scope.spawn(move || {
                for rows in rows {
                    if sender.send(rows).is_err() {
                        break;
                    }
                }
            });
            read.into_iter()
                .try_for_each(|rows| self.writer.write(&rows?))
        })
    }
}

impl Stitcher for TableStitcher {
    fn append(&mut self, part: &Path) -> Result<(), SinkError> {
        let rows = RowsOfFile::open(part)?.with_spare(self.spare.clone());
        if rows.schema().fields() != self.schema.fields() {
            let message = format!("has other columns than `{}`", self.first.display());
            return Err(SinkError::damaged_part(part, message));
        }
        self.copy(rows)
    }

    fn take(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.writer.write(rows)
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        self.writer.finish(metadata)
    }
}
