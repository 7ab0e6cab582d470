//! An output file in the making, of parts.

use super::{
    HashedFile, SinkError, Stitcher,
    bundle::Bundle,
    format::format_of,
    formats::has_many,
    parquet::{self, RowsOfFile},
    table_stitcher::TableStitcher,
};
use crate::{
    file::Existing,
    job::{ExportOptions, OutputTarget},
};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::{
    fs::File,
    path::{Path, PathBuf},
};

/// An output file in the making, of parts.
pub(super) struct Making {
    bundle: Bundle,
    stitcher: Box<dyn Stitcher>,
    output: PathBuf,
}

impl Making {
    /// Begins the files of an output with the rows of its first part. Until they are published they lie in `folder`,
    /// or else where they will be.
    ///
    /// # Errors
    /// - If the part does not hold what was written, or that cannot be in the format.
    /// - If something is there that is to stay.
    /// - If the file system refuses.
    pub(super) fn begin(
        target: &OutputTarget,
        folder: Option<&Path>,
        options: &ExportOptions,
        first: &Path,
    ) -> Result<Self, SinkError> {
        let existing = Existing::unless(options.overwrite);
        let create = |has_many| Bundle::create(target, has_many, folder, existing);
        let (bundle, stitcher): (_, Box<dyn Stitcher>) = match format_of(target.format) {
            None => {
                let bundle = create(false)?;
                let file = HashedFile::new(bundle.main()?);
                (bundle, parquet::stitcher(file, first)?)
            }
            Some(format) => {
                let rows = RowsOfFile::open(first)?;
                let bundle = create(has_many(rows.schema()))?;
                let begun = TableStitcher::begin(format, bundle.files()?, options, rows);
                (
                    bundle,
                    Box::new(begun.map_err(|error| error.named(&target.path))?),
                )
            }
        };
        Ok(Self {
            bundle,
            stitcher,
            output: target.path.clone(),
        })
    }

    /// Begins the files of an output, in a format that parts do not have, for rows with these columns. They lie in `folder`.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(super) fn begin_empty(
        target: &OutputTarget,
        folder: &Path,
        options: &ExportOptions,
        schema: &Schema,
    ) -> Result<Self, SinkError> {
        let format = format_of(target.format).ok_or_else(|| SinkError::not_taken(target.format))?;
        let existing = Existing::unless(options.overwrite);
        let bundle = Bundle::create(target, has_many(schema), Some(folder), existing)?;
        let begun = TableStitcher::empty(format, bundle.files()?, options, schema, &target.path);
        Ok(Self {
            stitcher: Box::new(begun.map_err(|error| error.named(&target.path))?),
            bundle,
            output: target.path.clone(),
        })
    }

    /// Adds rows of a part that is not there yet.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(super) fn take(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let taken = self.stitcher.take(rows);
        taken.map_err(|error| error.named(&self.output))
    }

    /// Adds the rows of the next part.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(super) fn append(&mut self, part: &Path) -> Result<(), SinkError> {
        let appended = self.stitcher.append(part);
        appended.map_err(|error| error.named(&self.output))
    }

    /// The output, to have it on the disk.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub(super) fn main(&self) -> Result<File, SinkError> {
        self.bundle.main()
    }

    /// Completes the files, which are not on the disk yet.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub(super) fn finish(self, metadata: &[(String, String)]) -> Result<Bundle, SinkError> {
        let finished = self.stitcher.finish(metadata);
        finished.map_err(|error| error.named(&self.output))?;
        Ok(self.bundle)
    }
}
