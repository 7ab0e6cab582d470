//! The rows of a run on their way into parts.

use super::{
    Circumstances, Closing, Frontier, HashedFile, OutputPlan, Published, RejectsSpool, SinkError,
    committer::{Committer, Job, now},
    format::{PartWriter, part_writer},
    frontier::Mark,
    heart::Heart,
    ledger::{Beat, Entry, Ledger, Stretch},
    place::Place,
    publish,
};
use crate::{
    batch::Rows,
    fasta::Input,
    file::{Existing, Staged},
    meter::Meters,
};
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

/// A part ends when it has so many bytes, however young it is.
const PART_BYTES: u64 = 1 << 30;
/// The share of the work that may be at stake.
const SHARE_AT_STAKE: f64 = 0.05;

/// Takes the rows of a run, in input order, and makes them durable from time to time.
///
/// Rows that were taken and not committed are lost if it is dropped.
pub struct Output {
    n_rows: u64,
    parts: Option<Parts>,
}

/// An output that is kept.
struct Parts {
    plan: OutputPlan,
    place: Place,
    heart: Heart,
    marks: Receiver<Mark>,
    /// Marks of rows that are still to come.
    ahead: VecDeque<Mark>,
    /// Jumps among them.
    n_jumps_ahead: usize,
    /// Rows that this run has taken.
    n_rows: u64,
    /// Where the open part begins.
    from: Frontier,
    /// How far it goes.
    to: Frontier,
    open: Option<OpenPart>,
    stage: Stage,
    last_commit: Instant,
    began: Instant,
    /// Seconds of all work that was committed before.
    seconds_before: f64,
    /// Whether this process is the first and only one that works on the output so far, in one part.
    is_only_part: bool,
}

struct OpenPart {
    writer: Box<dyn PartWriter>,
    staged: Staged,
}

/// What an output does with its ledger.
enum Stage {
    /// It has not begun yet.
    Waiting {
        ledger: Ledger,
        inputs: Vec<Input>,
        rejects: RejectsSpool,
        lost: Beat,
    },
    Committing(Committer),
    /// A finished output, of which the inputs are compared with what they were.
    Comparing,
}
