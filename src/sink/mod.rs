//! Outputs: embeddings in, durable parts and a published output out.
//!
//! *Input*: [`Rows`](crate::batch::Rows) in the order of the packer, rejections, and a [`Trail`] of how far
//! the records are done. *Output*: a file or a folder of parts, a row a sequence in input order, and a list
//! of what was rejected. *Owns*: input order, parts and their ledger, the file formats, provenance, resuming,
//! publication. *Never*: computes with an embedding, leaves half a file, forgets what it has committed.
//!
//! [`open`] says what is still to be done: [`Work`]. Batches go through the [`ReorderBuffer`] to an
//! [`Output`], which commits a part from time to time. When the last one is there, they become what the
//! script asked for.

mod ahead;
mod aside;
mod books;
mod bundle;
mod chain;
mod claim;
mod columns;
mod committer;
mod contacts;
mod difference;
mod error;
mod export;
mod format;
mod formats;
mod frontier;
mod hashed_file;
mod heart;
mod identity;
mod kept;
pub mod ledger;
mod left;
mod making;
mod manifest;
mod marks;
mod merge;
mod open;
mod open_part;
mod order;
mod outline;
mod output;
mod parquet;
mod place;
mod plan;
mod publish;
mod records_hash;
mod rejects;
mod rejects_spool;
mod remove;
mod rescue;
mod resumed;
mod shards;
mod shards_error;
mod shared_stitching;
mod spare;
mod status;
mod stitching;
mod table_stitcher;
mod tail;
mod verifier;
mod verify;
mod work;
mod write_behind;
mod writeback;

use std::path::PathBuf;

pub use columns::More;
pub use difference::Difference;
pub use error::{OrderError, SinkError};
pub use export::{ExportStep, Exported, check_export, export};
pub use frontier::{Frontier, Tally, Trail};
pub use heart::Pulse;
pub use identity::{Circumstances, Identity};
pub use kept::{kept, shards_of};
pub use left::check_read;
pub use merge::{MergeStep, Merged, OnStep, merge};
pub use open::{Begun, Opened, Ready, open};
pub use order::ReorderBuffer;
pub use outline::Outline;
pub use output::Output;
pub use plan::OutputPlan;
pub use records_hash::RecordsHash;
pub use rejects_spool::RejectsSpool;
pub use remove::{check_idle, remove};
pub use resumed::Resumed;
pub use shards_error::ShardsError;
pub use spare::Spare;
pub use status::{Rate, ShardStatus, State, Status, status};
pub use verify::{Flaw, Verified, verify};
pub use work::{Next, Pass, Section, Task, Work};

use format::{Checked, Ended, PartWriter, Shorten, Stitcher, TableRows, TableWriter};
use hashed_file::HashedFile;
use rejects::Rejects;

/// The files that a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The output file, if the run has one.
    pub output: Option<PathBuf>,
    /// The list of rejected records, if there are any and the run has an output.
    pub rejects: Option<PathBuf>,
}
