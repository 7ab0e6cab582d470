//! Stages that are slower than they need to be, for tests.

use std::time::Duration;

/// How long stages take over each batch beside their work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Packing.
    pub packing: Duration,
    /// Writing.
    pub writing: Duration,
}
