//! The flags by which a run is told to stop.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Why a run was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The user pressed Ctrl-C (SIGINT) and looks on.
    Interrupted,
    /// Somebody sent SIGINT and no terminal shows what comes of it, so it was most likely a scheduler.
    InterruptedUnseen,
    /// A scheduler or an operator sent SIGTERM.
    Terminated,
    /// The terminal is gone, or somebody sent SIGHUP.
    HungUp,
}

impl StopReason {
    /// Who or what stopped the run, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "the user",
            Self::InterruptedUnseen => "SIGINT",
            Self::Terminated => "SIGTERM",
            Self::HungUp => "SIGHUP",
        }
    }
}

/// Says "take in no more" to whatever goes on. A run then finishes what it has begun, as long as its grace
/// lasts; whatever else polls it between two pieces of work ends at once. Clones share it.
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
pub struct CancelToken(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    told: OnceLock<(StopReason, Instant)>,
    /// What the run that goes on may take to finish what it has begun.
    grace: Mutex<Option<Duration>>,
}

/// Lasts as long as the run that has a grace.
#[derive(Debug)]
pub struct Graceful<'a>(&'a CancelToken);

impl CancelToken {
    /// Asks whatever goes on to stop. The first reason stays.
    pub fn cancel(&self, reason: StopReason) {
        // A later call must not change the exit code that the first one decided.
        let _ = self.0.told.set((reason, Instant::now()));
    }

    /// Why the run was told to stop, if it was.
    pub fn reason(&self) -> Option<StopReason> {
        self.0.told.get().map(|(reason, _)| *reason)
    }

    /// Why the run was told to stop, and how long ago.
    pub fn told(&self) -> Option<(StopReason, Duration)> {
        self.0
            .told
            .get()
            .map(|(reason, at)| (*reason, at.elapsed()))
    }

    /// A run begins which may take so long to finish what it has begun.
    pub fn with_grace(&self, grace: Duration) -> Graceful<'_> {
        self.set_grace(Some(grace));
        Graceful(self)
    }

    /// How long what goes on may take to end. Without a run there is nothing to finish.
    pub fn grace(&self) -> Option<Duration> {
        *self.0.grace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_grace(&self, grace: Option<Duration>) {
        *self.0.grace.lock().unwrap_or_else(PoisonError::into_inner) = grace;
    }
}

impl Drop for Graceful<'_> {
    fn drop(&mut self) {
        self.0.set_grace(None);
    }
}

/// Tells the stages of one run that nobody wants their work any more, because another stage has failed or
/// the time for stopping is over. Clones share it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_lasts_as_long_as_its_run() {
        let token = CancelToken::default();
        assert_eq!(token.grace(), None);
        let run = token.with_grace(Duration::from_secs(3));
        token.cancel(StopReason::HungUp);
        token.cancel(StopReason::Terminated);
        assert_eq!(token.clone().grace(), Some(Duration::from_secs(3)));
        assert_eq!(
            token.told().map(|(reason, _)| reason),
            Some(StopReason::HungUp)
        );
        drop(run);
        assert_eq!(token.grace(), None);
    }
}
