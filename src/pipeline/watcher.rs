//! Whoever follows a run from the thread that asked for it.

use crate::monitor::Notice;
use std::ops::ControlFlow;

/// Follows a run from the thread that asked for it, while other threads do the work.
pub trait Watcher {
    /// Is told what happens. To break stops the run, for the reason given.
    fn notice(&mut self, notice: Notice) -> ControlFlow<String>;
}
