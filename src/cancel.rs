//! The flags by which a run is told to stop.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// Why a run was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The user pressed Ctrl-C (SIGINT).
    Interrupted,
    /// A scheduler or an operator sent SIGTERM.
    Terminated,
    /// The terminal is gone, or somebody sent SIGHUP.
    HungUp,
}

/// A flag that every station polls between two pieces of work. Clones share it.
///
/// # Examples
/// ```
/// use runner::cancel::{CancelToken, StopReason};
///
/// let token = CancelToken::default();
/// assert_eq!(token.reason(), None);
/// token.cancel(StopReason::Terminated);
/// assert_eq!(token.reason(), Some(StopReason::Terminated));
/// ```
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<OnceLock<StopReason>>);

impl CancelToken {
    /// Asks the run to stop. The first reason stays.
    pub fn cancel(&self, reason: StopReason) {
        // A later call must not change the exit code that the first one decided.
        let _ = self.0.set(reason);
    }

    /// Why the run was told to stop, if it was.
    pub fn reason(&self) -> Option<StopReason> {
        self.0.get().copied()
    }
}

/// Tells the stages of one run that nobody wants their work any more, because another stage has failed.
/// Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Abandonment(Arc<AtomicBool>);

impl Abandonment {
    /// Nobody wants the work any more.
    pub fn declare(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether nobody wants it.
    pub fn is_declared(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
