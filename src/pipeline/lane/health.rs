//! Whether a lane works, and what becomes of its batches when it does not.

use super::{
    super::{fault::Fault, stage::Halt},
    Dispatcher,
    ticket::NumberedBatch,
};
use crate::{error::Error, event::EventSender, model::Replica, monitor::LaneWatch};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether a lane works. Both of its threads have one.
#[derive(Clone)]
pub(super) struct Health<'a> {
    pub(super) lane: usize,
    pub(super) replica: &'a Replica,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) watch: LaneWatch,
    pub(super) events: EventSender,
    pub(super) has_failed: Arc<AtomicBool>,
}

impl Health<'_> {
    /// Whether the lane has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    /// The lane fails: it takes no more batches. What is under way in it must come back, one way or the other.
    ///
    /// # Errors
    /// If no other lane is left.
    pub(super) fn lose(&self, fault: Fault) -> Result<(), Halt> {
        fault.mark(self.replica);
        if self.has_failed.swap(true, Ordering::AcqRel) {
            // The other thread said so.
            return Ok(());
        }
        self.watch.failed();
        let loss = self.dispatcher.lose(self.lane);
        if loss.n_left == 0 {
            return Err(Error::from(fault).into());
        }
        let batches = match loss.n_batches {
            0 => "the other lanes go on".to_owned(),
            1 => "its batch goes to the others".to_owned(),
            n => format!("its {n} batches go to the others"),
        };
        self.events.warn(format!(
            "lane {} on {} failed, {batches}: {}",
            self.lane,
            self.replica.device(),
            fault.in_full()
        ));
        Ok(())
    }

    /// A batch goes back, for another lane.
    pub(super) fn hand_back(&self, batch: NumberedBatch) {
        self.dispatcher.hand_back(batch);
    }
}
