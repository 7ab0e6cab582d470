//! Outputs: embeddings in, a published file out, or nothing at all.
//!
//! *Input*: [`EmbeddedBatch`]es in the order of the packer, and rejections. *Output*: a Parquet file
//! with a row a sequence in input order, and a list of what was rejected. *Owns*: input order, the
//! file format, provenance, publication. *Never*: computes with an embedding, leaves half a file.
//!
//! A batch goes through the [`ReorderBuffer`] to a [`Sink`]. The files have temporary names until
//! [`Sink::finish`], and vanish if it is never called.

mod columns;
mod embedded;
mod error;
mod null;
mod order;
mod parquet;
mod provenance;
mod rejects;

use std::path::PathBuf;

pub use embedded::EmbeddedBatch;
pub use error::{OrderError, SinkError};
pub use null::NullSink;
pub use order::ReorderBuffer;
pub use parquet::ParquetSink;
pub use provenance::{Closing, Provenance};
pub use rejects::Rejects;

/// Takes the embeddings of a run, in input order. Dropping it abandons the output and leaves
/// nothing behind.
pub trait Sink: Send {
    /// Takes the next rows.
    ///
    /// # Errors
    /// If the output cannot be written.
    fn write(&mut self, batch: EmbeddedBatch) -> Result<(), SinkError>;

    /// Ends the output and publishes it together with the list of rejections.
    ///
    /// # Errors
    /// If records went missing, if something cannot be written, or if an output of that name came
    /// into being meanwhile. Nothing is published then, unless all that failed was the removal of an
    /// older list of rejections.
    fn finish(self: Box<Self>, closing: Closing, rejects: Rejects) -> Result<Published, SinkError>;
}

/// Where the output goes and what it says about itself.
#[derive(Clone, Debug)]
pub struct OutputPlan {
    /// The output file. Missing parent folders are created.
    pub path: PathBuf,
    /// Whether an output file of that name, and its list of rejections, may be replaced.
    pub overwrite: bool,
    /// Components of an embedding.
    pub hidden_size: usize,
    /// How the embeddings come about, and of which layers.
    pub provenance: Provenance,
}

/// The files that a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The output file, if the run has one.
    pub output: Option<PathBuf>,
    /// The list of rejected records, if there are any and the run has an output.
    pub rejects: Option<PathBuf>,
}
