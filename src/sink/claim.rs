//! An output that this process owns, from its opening to its end.

use super::{Pulse, SinkError, heart::Heart, ledger, ledger::Owner, place::Place};
use crate::meter::Meters;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// An output that this process owns. When it is dropped it is nobody's, and if nothing has been committed,
/// nothing of it is left.
pub(super) struct Claim {
    place: Place,
    heart: Option<Heart>,
    /// Whether this process has made the folder of the parts.
    has_made_parts: bool,
}

impl Claim {
    pub(super) fn new(
        owner: Owner,
        place: &Place,
        has_made_parts: bool,
    ) -> Result<Self, SinkError> {
        Ok(Self {
            heart: Some(Heart::start(owner, place.bookkeeping())?),
            place: place.clone(),
            has_made_parts,
        })
    }

    /// The next entry of the ledger, which has so many stretches, says what the process before said last.
    pub(super) fn announce(&self, n_stretches: usize) {
        if let Some(heart) = &self.heart {
            heart.announce(n_stretches);
        }
    }

    /// From now on others see what these meters show.
    pub(super) fn begin(&self, meters: Arc<Meters>) {
        if let Some(heart) = &self.heart {
            heart.begin(meters);
        }
    }

    /// What says how far the work is.
    pub(super) fn pulse(&self) -> Pulse {
        self.heart.as_ref().map(Heart::pulse).unwrap_or_default()
    }

    /// Whether another process has taken the output over.
    pub(super) fn is_lost(&self) -> Arc<AtomicBool> {
        self.heart.as_ref().map(Heart::is_lost).unwrap_or_default()
    }

    /// The output is a file, it is complete, and its parts are not needed any more.
    pub(super) fn clean_up(self) {
        if !self.place.keeps_parts() {
            // What is left over costs space, and the next run removes it.
            let _ = self.place.discard(None);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_lost().load(Ordering::Acquire) {
            // Nothing there is this process's any more.
            return;
        }
        let history = ledger::read(&self.place.ledger());
        let is_empty =
            |history: &ledger::History| history.commits.is_empty() && history.end.is_none();
        if matches!(&history, Ok(Some(history)) if is_empty(history)) {
            let _ = self.place.discard(None);
        }
        self.heart = None;
        self.place.remove_empty_folders(self.has_made_parts);
    }
}
