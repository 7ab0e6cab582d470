//! How much of a CPU a model takes.

use std::num::NonZeroUsize;

/// How much of a CPU a model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuShare {
    /// Threads that compute; as many as there are cores that the process may use if it is not given.
    pub threads: Option<NonZeroUsize>,
    /// Batches that are computed at the same time, each on threads of its own; one a thread if it is not given.
    pub lanes: Option<NonZeroUsize>,
}
