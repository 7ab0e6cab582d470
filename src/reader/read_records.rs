//! Some records of a read, and where they stand.

use crate::fasta::{Outcome, Position};

/// What became of some records of one input that follow each other, and where the first of them
/// stands. The others stand behind it: that of index `i` at `start.advanced(i)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecords {
    /// What became of each, at least one.
    pub outcomes: Vec<Outcome>,
    /// Where the first of them stands.
    pub start: Position,
}
