//! The one file of many parts, on which several threads work in turn.

use super::stitching::Stitching;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one file of many parts, or nothing where it was given up. Its clones are the same.
#[derive(Clone)]
pub(super) struct SharedStitching(Arc<Mutex<Option<Stitching>>>);

impl SharedStitching {
    pub(super) fn new(stitching: Option<Stitching>) -> Self {
        Self(Arc::new(Mutex::new(stitching)))
    }

    /// Goes on with it, or gives it up: then its files are gone when this returns.
    pub(super) fn step(&self, step: impl FnOnce(Stitching) -> Option<Stitching>) {
        let mut stitching = self.lock();
        *stitching = stitching.take().and_then(step);
    }

    /// Gives it up.
    pub(super) fn give_up(&self) {
        self.step(|_| None);
    }

    /// What it says, if it is there.
    pub(super) fn is(&self, ask: impl FnOnce(&Stitching) -> bool) -> bool {
        self.lock().as_ref().is_some_and(ask)
    }

    /// Takes it from all who have it.
    pub(super) fn take(&self) -> Option<Stitching> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stitching>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
