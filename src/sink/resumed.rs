//! What of an output was there before a run.

use super::{
    Published,
    ledger::{Done, Stretch},
};

/// What was there already.
#[derive(Clone, Debug, Default)]
pub struct Resumed {
    /// Records that are done.
    pub records: u64,
    /// Rows of them.
    pub rows: u64,
    /// Records of them that were rejected.
    pub rejected: u64,
    /// Parts that are missing or cut, which are made again.
    pub n_lost: usize,
    /// The processes that did them, in order.
    pub stretches: Vec<Stretch>,
    /// What each of them committed, where that is known.
    pub done: Vec<Done>,
    /// What the last of them computed and did not commit.
    pub lost: Done,
    /// The files of an output that is finished.
    pub published: Published,
}
