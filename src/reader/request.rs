//! What to read, and how.

use crate::{
    cancel::{Abandonment, CancelToken},
    event::EventSender,
    fasta::{Input, Position},
    job::{RecordPolicy, Shard},
    meter::Meters,
};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// What to read, and how.
pub struct ReadRequest {
    /// The files, in input order.
    pub inputs: Vec<Input>,
    /// The record that comes out first; that at the beginning if none is given. Inputs before are not
    /// opened.
    pub start: Option<Position>,
    /// Which part of the records is read, if it is not all of them.
    pub shard: Option<Shard>,
    /// What the readers do with each record.
    pub policy: RecordPolicy,
    /// Records to read at most, the rejected ones included, from the start on.
    pub take: Option<u64>,
    /// Subprocesses to use.
    pub readers: NonZeroUsize,
    /// How long a reader may take over its next frame before it counts as hung. A reader of a pipe
    /// may take as long as the pipe's writer.
    pub timeout: Duration,
    /// Where to tell what readers do; it has a clock for each of them.
    pub meters: Arc<Meters>,
    /// Where to tell what happens.
    pub events: EventSender,
    /// Told to stop?
    pub cancel: CancelToken,
    /// Does nobody want the records any more? Then they end, as if the input did.
    pub abandonment: Abandonment,
}
