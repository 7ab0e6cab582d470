//! The one place that knows the formats of outputs: what each can do is looked up here.

use super::{
    HashedFile, OutputPlan, SinkError, Spare,
    formats::{Begin, FORMATS, Files, Format, has_many},
    parquet::{self, RowsOfFile},
};
use crate::{
    batch::Rows,
    job::{ExportOptions, OutputFormat, misfit_of_tokens},
};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use std::{collections::BTreeMap, fs::File, path::Path};

/// Writes a part of an output: a file of the output's format that holds some consecutive rows.
pub(super) trait PartWriter: Send {
    /// Takes the next rows, and gives them back in the form that they can be [written again](Self::write_again) in:
    /// they are in memory once. Where the file system refuses, the part [has failed](Self::has_failed).
    ///
    /// # Errors
    /// If they do not fit into the format.
    fn write(&mut self, rows: Rows) -> Result<Vec<RecordBatch>, SinkError>;

    /// Takes the next rows, which were those of a part before.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn write_again(&mut self, rows: RecordBatch) -> Result<(), SinkError>;

    /// How many bytes the part has so far, about: those in the file, and those that wait in memory.
    fn n_bytes(&self) -> u64;

    /// How many rows are in the file for good: behind them, [it can be ended](Shorten::end_at).
    fn n_rows_in_file(&self) -> u64;

    /// Whether the file system has refused something. Rows that come then are lost.
    fn has_failed(&self) -> bool;

    /// Completes the part with what is known of it at its end. It is not on the disk yet.
    ///
    /// # Errors
    /// If rows do not fit into the format.
    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<Ended, SinkError>;
}

/// A part to which no more rows come.
pub(super) struct Ended {
    /// The complete file, or why it is not complete.
    pub(super) file: Result<HashedFile, SinkError>,
    /// The way to end it earlier.
    pub(super) shorter: Box<dyn Shorten>,
}

/// Ends parts earlier, where there is no room for all of their rows.
pub(super) trait Shorten: Send {
    /// Ends a part behind its first `n_rows` rows, which were [in the file](PartWriter::n_rows_in_file) at
    /// some time. `file` is what was written of it. It is not on the disk yet.
    ///
    /// # Errors
    /// If the file system refuses.
    fn end_at(
        &self,
        n_rows: u64,
        file: &File,
        metadata: &[(String, String)],
    ) -> Result<HashedFile, SinkError>;
}

/// Writes a file of a format from rows in order, a few at a time. What it holds in memory does not grow with their
/// number. The vectors of all rows have the same columns.
pub(super) trait TableWriter: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// - If the file system refuses: [`SinkError::writing`].
    /// - If they cannot be in the format: [`SinkError::Unfit`].
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError>;

    /// Completes the file, with what it says of itself: entries as Parquet has them, such as `runner.identity`. It is
    /// not on the disk yet.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError>;
}

/// Begins a part in an empty file, with what is known of it from the start. Errors call it by the
/// name of the output. `spare` is told of the memory that rows lie in.
///
/// # Errors
/// If the part cannot be written.
pub(super) fn part_writer(
    plan: &OutputPlan,
    file: HashedFile,
    metadata: &[(String, String)],
    spare: &Spare,
) -> Result<Box<dyn PartWriter>, SinkError> {
    parquet::part_writer(plan, file, metadata, spare)
}

/// Puts the rows of parts into one file, one after the other. Where it is a file as parts are, nothing is encoded
/// again.
pub(super) trait Stitcher: Send {
    /// Takes the rows of the next part.
    ///
    /// # Errors
    /// - If the part does not hold what was written, or has other columns.
    /// - If the file system refuses.
    fn append(&mut self, part: &Path) -> Result<(), SinkError>;

    /// Takes rows of a part that is not there yet.
    ///
    /// # Errors
    /// If the file system refuses, or parts are copied as they are.
    fn take(&mut self, rows: &RecordBatch) -> Result<(), SinkError>;

    /// Completes the file, with `metadata` instead of that of the parts. It is not on the disk yet.
    ///
    /// # Errors
    /// If the file system refuses.
    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError>;
}

/// What can be done with files of a format that are not parts themselves. Nothing, if they are.
pub(super) fn format_of(format: OutputFormat) -> Option<&'static Format> {
    FORMATS.iter().find(|of| of.format == format)
}

/// The rows of a file, a few at a time.
pub(super) struct TableRows<'a> {
    /// Its columns.
    pub(super) schema: SchemaRef,
    /// The rows, in their order.
    pub(super) rows: Box<dyn Iterator<Item = Result<RecordBatch, SinkError>> + 'a>,
}

/// The rows of a file of ours that holds what was written into it.
///
/// # Errors
/// - If it does not.
/// - If the file system refuses.
pub(super) fn rows_of(path: &Path) -> Result<TableRows<'_>, SinkError> {
    match format_at(path) {
        None => {
            let rows = RowsOfFile::open(path)?;
            Ok(TableRows {
                schema: rows.schema().clone(),
                rows: Box::new(rows),
            })
        }
        Some(format) => (format.rows)(path),
    }
}

/// The columns of a file of ours: those of parts, as far as it has what is in them. What else is in it is not looked at.
///
/// # Errors
/// - If it does not say which it has.
/// - If the file system refuses.
pub(super) fn schema_of(path: &Path) -> Result<SchemaRef, SinkError> {
    match format_at(path) {
        None => parquet::schema_of(path),
        Some(format) => (format.schema)(path),
    }
}

/// The format of a file that has no room for all columns of parts, by which it is known that some may be missing.
pub(super) fn narrow_format_of(path: &Path) -> Option<OutputFormat> {
    let format = format_at(path).filter(|format| !format.is_table);
    format.map(|format| format.format)
}

/// Begins empty files of a format, parts included.
///
/// # Errors
/// If the file system refuses, or such columns cannot be in the format.
pub(super) fn begin_table(
    format: OutputFormat,
    files: Files,
    options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let begin = format_of(format).map_or(parquet::begin_table as Begin, |format| format.begin);
    begin(files, options, schema)
}

/// Checks that rows with these columns can be in a format, of an output that says this of itself.
///
/// # Errors
/// If they cannot.
pub(super) fn check_fits(
    format: OutputFormat,
    options: &ExportOptions,
    schema: &Schema,
    identity: &BTreeMap<String, String>,
) -> Result<(), SinkError> {
    if let Some((message, hint)) = misfit_of_tokens(identity, format)
        && has_many(schema)
    {
        return Err(SinkError::Unfit { message, hint });
    }
    format_of(format).map_or(Ok(()), |format| (format.fits)(schema, options))
}

/// What a complete file says of how it came about. `None` if it is someone else's, whatever it is.
///
/// # Errors
/// - If the file is damaged, or was cut short.
/// - If the file system refuses.
pub(super) fn read_metadata(path: &Path) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    // A file of parts that was renamed is still what it holds.
    let of_parts = parquet::read_metadata(path)?;
    match (of_parts, format_at(path)) {
        (None, Some(format)) => (format.read_metadata)(path),
        (of_parts, _) => Ok(of_parts),
    }
}

/// What was found in a file that was read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Rows that it says it has.
    pub rows: u64,
    /// What is wrong with it, each as the end of a sentence that begins with its name.
    pub problems: Vec<String>,
}

/// Reads everything in a complete file, and compares it with its checksum.
///
/// # Errors
/// If the file cannot be opened.
pub(super) fn check(path: &Path) -> Result<Checked, SinkError> {
    match format_at(path) {
        Some(format) => (format.check)(path),
        None => parquet::check(path),
    }
}

/// What can be done with the file of that name, if it is not called like a part.
fn format_at(path: &Path) -> Option<&'static Format> {
    OutputFormat::of(path).ok().and_then(format_of)
}
