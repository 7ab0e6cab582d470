//! How far a fast lane may be ahead of a slow one.

use crate::cancel::Abandonment;
use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Batches that a lane may be ahead of the oldest one that is still under way. What comes back early
/// waits in memory for its place in the output, so this bounds it; lanes that differ by less never wait.
const MOST_AHEAD: u64 = 64;
/// How often a lane that waits looks whether the run was abandoned.
const PATIENCE: Duration = Duration::from_millis(50);

/// Keeps lanes together. All lanes of a run share one.
#[derive(Debug, Default)]
pub(in super::super) struct Lead {
    /// The numbers of the batches under way.
    under_way: Mutex<BTreeSet<u64>>,
    changed: Condvar,
}

impl Lead {
    /// A lane has taken a batch. Waits, with a call of `wait` around it, while it is too far ahead.
    pub(super) fn enter(&self, number: u64, abandonment: &Abandonment, wait: impl Fn(&dyn Fn())) {
        let mut under_way = self.lock();
        under_way.insert(number);
        if is_ahead(&under_way, number) {
            drop(under_way);
            wait(&|| {
                let mut under_way = self.lock();
                while is_ahead(&under_way, number) && !abandonment.is_declared() {
                    let waited = self.changed.wait_timeout(under_way, PATIENCE);
                    under_way = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            });
        }
    }

    /// A batch has come back.
    pub(super) fn leave(&self, number: u64) {
        self.lock().remove(&number);
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_ahead(under_way: &BTreeSet<u64>, number: u64) -> bool {
    under_way
        .first()
        .is_some_and(|oldest| number > oldest + MOST_AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, sync::Arc, thread};

    #[test]
    fn a_fast_lane_waits_for_a_slow_one() {
        let lead = Arc::new(Lead::default());
        let abandonment = Abandonment::default();
        let waits = Cell::new(0);
        let wait = |work: &dyn Fn()| {
            waits.set(waits.get() + 1);
            work();
        };
        lead.enter(0, &abandonment, wait);
        for number in 1..=MOST_AHEAD {
            lead.enter(number, &abandonment, wait);
            lead.leave(number);
        }
        assert_eq!(waits.get(), 0);
        let slow = {
            let lead = lead.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                lead.leave(0);
            })
        };
        lead.enter(MOST_AHEAD + 1, &abandonment, wait);
        assert_eq!(waits.get(), 1);
        assert!(!lead.lock().contains(&0), "the slow lane has come back");
        slow.join().unwrap();
    }

    #[test]
    fn nobody_waits_in_a_run_that_is_abandoned() {
        let (lead, abandonment) = (Lead::default(), Abandonment::default());
        lead.enter(0, &abandonment, |work| work());
        abandonment.declare();
        lead.enter(1000, &abandonment, |work| work());
    }
}
