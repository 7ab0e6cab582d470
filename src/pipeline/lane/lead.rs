//! How far a fast lane may be ahead of a slow one.

use crate::{alphabet::SHORTEST_SEQUENCE, cancel::Abandonment};
use std::{
    collections::BTreeSet,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Bytes of values that may come back early, about: they wait in memory for their place in the output.
const BYTES_AHEAD: usize = 512 << 20;
/// Batches that a lane may be ahead of the oldest one that is still under way, whatever their size. Lanes
/// that differ by less never wait.
const MOST_AHEAD: usize = 64;
/// With fewer, lanes of one speed would wait for each other.
const LEAST_AHEAD: usize = 4;
/// How often a lane that waits looks whether the run was abandoned.
const PATIENCE: Duration = Duration::from_millis(50);

/// Keeps lanes together. All lanes of a run share one.
#[derive(Debug)]
pub(in super::super) struct Lead {
    most_ahead: u64,
    /// The numbers of the batches under way.
    under_way: Mutex<BTreeSet<u64>>,
    changed: Condvar,
}

impl Lead {
    /// For batches of so many tokens at most, whose sequences have so many values each.
    pub(in super::super) fn of_batches(token_budget: usize, n_values: usize) -> Self {
        let bytes = token_budget / SHORTEST_SEQUENCE * n_values * size_of::<f32>();
        let ahead = (BYTES_AHEAD / bytes.max(1)).clamp(LEAST_AHEAD, MOST_AHEAD);
        Self {
            most_ahead: ahead as u64,
            under_way: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// A lane has taken a batch. Waits, with a call of `wait` around it, while it is too far ahead.
    pub(super) fn enter(&self, number: u64, abandonment: &Abandonment, wait: impl Fn(&dyn Fn())) {
        let mut under_way = self.lock();
        under_way.insert(number);
        if self.is_ahead(&under_way, number) {
            drop(under_way);
            wait(&|| {
                let mut under_way = self.lock();
                while self.is_ahead(&under_way, number) && !abandonment.is_declared() {
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

    fn is_ahead(&self, under_way: &BTreeSet<u64>, number: u64) -> bool {
        let oldest = under_way.first();
        oldest.is_some_and(|oldest| number > oldest + self.most_ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, sync::Arc, thread};

    #[test]
    fn a_fast_lane_waits_for_a_slow_one() {
        let lead = Arc::new(Lead::of_batches(1024, 320));
        let most_ahead = lead.most_ahead;
        let abandonment = Abandonment::default();
        let waits = Cell::new(0);
        let wait = |work: &dyn Fn()| {
            waits.set(waits.get() + 1);
            work();
        };
        lead.enter(0, &abandonment, wait);
        for number in 1..=most_ahead {
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
        lead.enter(most_ahead + 1, &abandonment, wait);
        assert_eq!(waits.get(), 1);
        assert!(!lead.lock().contains(&0), "the slow lane has come back");
        slow.join().unwrap();
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let check = |token_budget, n_values, expect| {
            assert_eq!(Lead::of_batches(token_budget, n_values).most_ahead, expect);
        };
        check(4096, 320, 64);
        check(32_768, 1280, 9);
        check(65_536, 34 * 1280, 4);
    }

    #[test]
    fn nobody_waits_in_a_run_that_is_abandoned() {
        let (lead, abandonment) = (Lead::of_batches(1024, 320), Abandonment::default());
        lead.enter(0, &abandonment, |work| work());
        abandonment.declare();
        lead.enter(1000, &abandonment, |work| work());
    }
}
