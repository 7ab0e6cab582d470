//! Reader subprocesses.

use crate::{
    cancel::{CancelToken, StopReason},
    event::EventSender,
    fasta::{Input, InputError, Outcome},
    job::RecordPolicy,
};
use std::{num::NonZeroUsize, time::Duration};

/// The hidden subcommand that makes this program a reader.
pub const SUBCOMMAND: &str = "__reader";

/// The reader subprocess.
pub fn run() -> std::process::ExitCode {
    todo!()
}

/// What can go wrong with the reader subprocesses.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The input is at fault, not the reader.
    #[error(transparent)]
    Input(InputError),
    /// The run was told to stop.
    #[error("stopped")]
    Stopped(StopReason),
}

/// What to read, and how.
pub struct ReadRequest {
    /// The files, in input order.
    pub inputs: Vec<Input>,
    /// What the readers do with each record.
    pub policy: RecordPolicy,
    /// Subprocesses to use.
    pub readers: NonZeroUsize,
    /// How long a reader may take over its next frame before it counts as hung.
    pub timeout: Duration,
    /// Where to tell what happens.
    pub events: EventSender,
    /// Told to stop?
    pub cancel: CancelToken,
}

/// Reader subprocesses that stay alive between reads. Dropping it ends them.
pub struct Pool {}

impl Pool {
    /// A pool without readers yet: they start with the first read.
    pub fn new() -> Self {
        Self {}
    }

    /// Starts reading. The records come in input order whatever the number of readers.
    pub fn read(&mut self, _request: ReadRequest) -> Result<Records<'_>, ReaderError> {
        todo!()
    }
}

/// The records of one read, in input order, a few hundred at a time. Dropping it early abandons the rest.
pub struct Records<'a> {
    _pool: &'a mut Pool,
}

impl Records<'_> {
    /// Readers that had to be replaced so far.
    pub fn restarts(&self) -> u64 {
        todo!()
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<Outcome>, ReaderError>;
    fn next(&mut self) -> Option<Self::Item> {
        todo!()
    }
}
