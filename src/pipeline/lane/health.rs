//! Whether a lane works, and what becomes of its batches when it does not.

use super::{
    super::{
        fault::{FailedLane, Fault, Faults},
        stage::Halt,
    },
    Dispatcher,
    ticket::NumberedBatch,
};
use crate::{model::Replica, monitor::LaneWatch};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Whether a lane works. Both of its threads have one.
#[derive(Clone)]
pub(super) struct Health<'a> {
    /// Its number among the devices of the model.
    pub(super) lane: usize,
    /// Its device, in a word.
    pub(super) device: String,
    pub(super) replica: &'a Replica,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) watch: LaneWatch,
    pub(super) faults: Arc<Faults>,
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
        let reason = fault.in_full();
        // Before the others can learn that they are the last ones.
        self.faults.add(fault);
        let loss = self.dispatcher.lose(self.lane);
        let goes_on = match loss.n_batches {
            _ if loss.n_left == 0 => None,
            0 => Some("the others go on".to_owned()),
            1 => Some("its batch goes to the others".to_owned()),
            n => Some(format!("its {n} batches go to the others")),
        };
        let failed = FailedLane {
            lane: self.lane,
            device: self.device.clone(),
            n_batches: loss.n_batches,
            reason,
        };
        self.faults.tell(failed, goes_on.as_deref());
        match loss.n_left {
            0 => Err(self.faults.error().into()),
            _ => Ok(()),
        }
    }

    /// A batch goes back, for another lane.
    pub(super) fn hand_back(&self, batch: NumberedBatch) {
        self.dispatcher.hand_back(batch);
    }
}
