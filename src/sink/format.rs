//! The one place that knows the formats of outputs: what each can do is looked up here.

use super::{HashedFile, OutputPlan, SinkError, parquet};
use crate::{batch::Rows, job::OutputFormat};

/// Writes a part of an output: a file of the output's format that holds some consecutive rows.
pub(super) trait PartWriter: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// If the part cannot be written.
    fn write(&mut self, rows: Rows) -> Result<(), SinkError>;

    /// How many bytes the part has so far, about: those in the file, and those that wait in memory.
    fn n_bytes(&self) -> u64;

    /// Completes the part with what is known of it at its end. It is not on the disk yet.
    ///
    /// # Errors
    /// If the part cannot be written.
    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<HashedFile, SinkError>;
}

/// Begins a part in an empty file, with what is known of it from the start. Errors call it by the
/// name of the output.
///
/// # Errors
/// If the part cannot be written.
pub(super) fn part_writer(
    plan: &OutputPlan,
    file: HashedFile,
    metadata: &[(String, String)],
) -> Result<Box<dyn PartWriter>, SinkError> {
    match plan.target.format {
        OutputFormat::Parquet => parquet::part_writer(plan, file, metadata),
    }
}
