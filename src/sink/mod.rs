//! Outputs: embeddings in, a published file out, or nothing at all.
//!
//! *Input*: [`Rows`] in the order of the packer, and rejections. *Output*: a Parquet file
//! with a row a sequence in input order, and a list of what was rejected. *Owns*: input order, the
//! file format, provenance, publication. *Never*: computes with an embedding, leaves half a file.
//!
//! A batch goes through the [`ReorderBuffer`] to a [`Sink`]. The files have temporary names until
//! [`Sink::finish`], and vanish if it is never called.

mod columns;
mod error;
mod format;
mod hashed_file;
mod identity;
mod null;
mod open;
mod order;
mod parquet;
mod plan;
mod rejects;
mod single;

use crate::batch::Rows;
use std::path::PathBuf;

pub use error::{OrderError, SinkError};
pub use identity::{Circumstances, Closing, Identity};
pub use open::{Opened, open};
pub use order::ReorderBuffer;
pub use plan::OutputPlan;
pub use rejects::Rejects;

use format::{Checked, PartWriter};
use hashed_file::HashedFile;

/// Takes the embeddings of a run, in input order. Dropping it abandons the output and leaves
/// nothing behind.
pub trait Sink: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// If the output cannot be written.
    fn write(&mut self, rows: Rows) -> Result<(), SinkError>;

    /// Ends the output and publishes it together with the list of rejections.
    ///
    /// # Errors
    /// If records went missing, if something cannot be written, or if an output of that name came
    /// into being meanwhile. Nothing is published then, unless all that failed was the removal of an
    /// older list of rejections.
    fn finish(self: Box<Self>, closing: Closing, rejects: Rejects) -> Result<Published, SinkError>;
}

/// The files that a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The output file, if the run has one.
    pub output: Option<PathBuf>,
    /// The list of rejected records, if there are any and the run has an output.
    pub rejects: Option<PathBuf>,
}
