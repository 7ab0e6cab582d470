//! How far the records of an input are done, and the trail that packing leaves of that.

use super::RecordsHash;
use crate::fasta::Position;
use std::sync::mpsc::{self, Receiver, Sender};

/// A place between two records of the input, and all that is to be known to go on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    /// The number of the record that comes next, from 0.
    pub record: u64,
    /// The records before it.
    pub hash: RecordsHash,
    /// Where the next record is, where that can be said.
    pub next: Option<Position>,
    /// What this run did with the records before it.
    pub tally: Tally,
}

/// What a run did with records, counted from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that were sent to the model.
    pub rows: u64,
    /// Records that were rejected.
    pub rejected: u64,
    /// Bytes of the list of rejections.
    pub rejects_bytes: u64,
    /// Rows of which only the first residues are embedded.
    pub truncated: u64,
    /// Residues of the rows.
    pub residues: u64,
    /// Tokens of the rows.
    pub tokens: u64,
}

/// A frontier that the run will have reached when the rows before it have left.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) frontier: Frontier,
    /// Whether what comes next follows the records before it, or a part of the input was passed over
    /// because its rows are there already.
    pub(super) is_jump: bool,
}

/// Packing leaves a mark behind each row, and one behind the rejections that follow it. There are no more of
/// them on their way than twice the rows.
#[derive(Clone, Debug)]
pub struct Trail(Option<Sender<Mark>>);

impl Trail {
    pub(super) fn new() -> (Self, Receiver<Mark>) {
        let (sender, receiver) = mpsc::channel();
        (Self(Some(sender)), receiver)
    }

    /// A trail that leads nowhere, for a run without an output.
    pub(super) fn nowhere() -> Self {
        Self(None)
    }

    /// The run comes to a frontier. It must be told before the row before it is sent.
    pub fn reach(&self, frontier: Frontier) {
        self.leave(frontier, false);
    }

    /// The run begins at a frontier, or goes on there.
    pub fn jump(&self, frontier: Frontier) {
        self.leave(frontier, true);
    }

    fn leave(&self, frontier: Frontier, is_jump: bool) {
        if let Some(sender) = &self.0 {
            // The writing stage is gone if it failed; its own error says why.
            let _ = sender.send(Mark { frontier, is_jump });
        }
    }
}
