//! An output that a rehearsal would have written.

use crate::host::Outline;

/// An output that a rehearsal would have written.
#[derive(Clone)]
pub(super) struct Rehearsed {
    /// The size of its vectors.
    pub(super) hidden_size: usize,
    /// What would be in it.
    pub(super) outline: Outline,
}
