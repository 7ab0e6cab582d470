//! Hands the batches of a run out to its lanes, and takes back those of a lane that fails.
//!
//! Batches that come back go out first, so that a lane that fails holds up the output as little as it can.
//! A fast lane may be ahead of a slow one only so far: what it computes waits in memory for its place in the
//! output.

use super::ticket::NumberedBatch;
use crate::{
    meter::{Activity, StageClock},
    queue::{Nothing, QueueReceiver},
};
use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Bytes of values that may come back early, about: they wait in memory for their place in the output.
const BYTES_AHEAD: usize = 512 << 20;
/// Batches that a lane may be ahead of the oldest one that is still under way, whatever their size. Lanes
/// that differ by less never wait.
const MOST_AHEAD: usize = 64;
/// Batches that are under way in a lane that never waits. If fewer for each lane were allowed, lanes of one
/// speed would wait for each other.
const UNDER_WAY: usize = 5;
/// How often a lane that waits looks whether there is something else to do.
const PATIENCE: Duration = Duration::from_millis(50);

/// Hands batches out. All lanes of a run share it.
pub(in super::super) struct Dispatcher {
    batches: QueueReceiver<NumberedBatch>,
    most_ahead: u64,
    state: Mutex<State>,
    changed: Condvar,
}

/// What a lane is given.
pub(super) struct Handed {
    pub(super) batch: NumberedBatch,
    /// Whether another lane had it before.
    pub(super) came_back: bool,
}

/// What is left when a lane has failed.
pub(super) struct Loss {
    /// Batches that were under way in the lane.
    pub(super) n_batches: usize,
    /// Lanes that go on.
    pub(super) n_left: usize,
}

struct State {
    /// Lanes that have not failed.
    n_lanes: usize,
    /// Lanes that wait for the queue: any of them may have a batch at the next moment.
    n_receiving: usize,
    /// The number of the next batch of the queue.
    next: u64,
    /// Whether no batch will come from the queue any more.
    is_drained: bool,
    /// The lanes of the batches under way, by number.
    under_way: BTreeMap<u64, usize>,
    /// Batches that came back and wait for another lane.
    returned: BTreeMap<u64, NumberedBatch>,
}

impl Dispatcher {
    /// For so many lanes, and batches for which so many bytes at most are answered.
    pub(in super::super) fn new(
        batches: QueueReceiver<NumberedBatch>,
        n_lanes: usize,
        most_bytes: usize,
    ) -> Self {
        Self {
            batches,
            most_ahead: most_ahead(n_lanes, most_bytes),
            state: Mutex::new(State {
                n_lanes,
                n_receiving: 0,
                next: 0,
                is_drained: false,
                under_way: BTreeMap::new(),
                returned: BTreeMap::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// A batch for a lane: the oldest that came back, else the next one of the queue. Waits while there is
    /// none, and while the lane is too far ahead. `None` if none can come any more, also not from another
    /// lane that fails, or if `is_over` says that the lane is to take no more.
    pub(super) fn take(
        &self,
        lane: usize,
        clock: &StageClock,
        is_over: &dyn Fn() -> bool,
    ) -> Option<Handed> {
        let handed = self.wait_for_batch(lane, clock, is_over);
        match handed {
            Some(_) => clock.switch(Activity::Working),
            None => clock.stop(),
        }
        handed
    }

    fn wait_for_batch(
        &self,
        lane: usize,
        clock: &StageClock,
        is_over: &dyn Fn() -> bool,
    ) -> Option<Handed> {
        let mut state = self.lock();
        loop {
            if is_over() {
                return None;
            }
            if let Some((number, batch)) = state.returned.pop_first() {
                state.under_way.insert(number, lane);
                return Some(Handed {
                    batch,
                    came_back: true,
                });
            }
            if state.is_drained {
                if !state.may_come_back(lane) {
                    return None;
                }
                // There is work for it only if another lane fails, so this is no time that it lost.
                clock.stop();
                state = self.wait(state);
            } else if state.is_ahead(self.most_ahead) {
                clock.switch(Activity::Blocked);
                state = self.wait(state);
            } else {
                state.n_receiving += 1;
                drop(state);
                let received = self.batches.receive_within(clock, PATIENCE);
                state = self.lock();
                state.n_receiving -= 1;
                match received {
                    Ok(batch) => {
                        state.next = state.next.max(batch.number + 1);
                        state.under_way.insert(batch.number, lane);
                        return Some(Handed {
                            batch,
                            came_back: false,
                        });
                    }
                    Err(Nothing::Yet) => {}
                    Err(Nothing::Ever) => {
                        state.is_drained = true;
                        self.changed.notify_all();
                    }
                }
            }
        }
    }

    /// A batch is computed, and its values are in main memory.
    pub(super) fn done(&self, number: u64) {
        self.lock().under_way.remove(&number);
        self.changed.notify_all();
    }

    /// A lane that failed hands a batch back.
    pub(super) fn hand_back(&self, batch: NumberedBatch) {
        let mut state = self.lock();
        state.under_way.remove(&batch.number);
        state.returned.insert(batch.number, batch);
        drop(state);
        self.changed.notify_all();
    }

    /// A lane has failed, and takes no more batches.
    pub(super) fn lose(&self, lane: usize) -> Loss {
        let mut state = self.lock();
        state.n_lanes -= 1;
        let of_lane = state.under_way.values().filter(|&&other| other == lane);
        Loss {
            n_batches: of_lane.count(),
            n_left: state.n_lanes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, PATIENCE);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    /// Whether the next batch is too far ahead of the oldest one that is not done. Lanes that look at the
    /// same moment may be ahead by one more each.
    fn is_ahead(&self, most_ahead: u64) -> bool {
        let oldest = self.under_way.keys().next();
        oldest.is_some_and(|oldest| self.next > oldest + most_ahead)
    }

    /// Whether another lane has, or may have, a batch that it could hand back.
    fn may_come_back(&self, lane: usize) -> bool {
        self.n_receiving > 0 || self.under_way.values().any(|&other| other != lane)
    }
}

/// How many batches a lane may be ahead of the oldest one under way.
fn most_ahead(n_lanes: usize, most_bytes: usize) -> u64 {
    let ahead = (BYTES_AHEAD / most_bytes.max(1)).min(MOST_AHEAD);
    ahead.max(UNDER_WAY * n_lanes - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::PackedBatch,
        queue::{QueueSender, bounded},
    };
    use std::{sync::Arc, thread, time::Instant};

    /// A queue of so many batches, and who hands them out to two lanes.
    fn dispatcher(n_batches: u64) -> (QueueSender<NumberedBatch>, Arc<Dispatcher>, StageClock) {
        let (sender, receiver, _) = bounded(1000);
        let clock = StageClock::default();
        for number in 0..n_batches {
            let batch = PackedBatch::synthetic(8);
            let sent = sender.send(&clock, 1, NumberedBatch { number, batch });
            assert!(sent.is_ok());
        }
        let dispatcher = Dispatcher::new(receiver, 2, 4 * 320 * 1024);
        (sender, Arc::new(dispatcher), clock)
    }

    impl Dispatcher {
        fn number(&self, lane: usize, clock: &StageClock) -> Option<u64> {
            let handed = self.take(lane, clock, &|| false);
            handed.map(|handed| handed.batch.number)
        }
    }

    #[test]
    fn a_fast_lane_waits_for_a_slow_one() {
        let (_sender, dispatcher, clock) = dispatcher(200);
        let most_ahead = dispatcher.most_ahead;
        assert_eq!(dispatcher.number(0, &clock), Some(0));
        for number in 1..=most_ahead {
            assert_eq!(dispatcher.number(1, &clock), Some(number));
            dispatcher.done(number);
        }
        assert_eq!(clock.time().blocked, 0.0);
        let slow = {
            let dispatcher = dispatcher.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                dispatcher.done(0);
            })
        };
        assert_eq!(dispatcher.number(1, &clock), Some(most_ahead + 1));
        assert!(clock.time().blocked > 0.01, "the slow lane has come back");
        slow.join().unwrap();
    }

    #[test]
    fn a_lane_that_waits_takes_what_it_waits_for_if_it_comes_back() {
        let (_sender, dispatcher, clock) = dispatcher(200);
        let slow = dispatcher.take(0, &clock, &|| false).unwrap().batch;
        for number in 1..=dispatcher.most_ahead {
            assert_eq!(dispatcher.number(1, &clock), Some(number));
            dispatcher.done(number);
        }
        let loss = dispatcher.lose(0);
        assert_eq!((loss.n_batches, loss.n_left), (1, 1));
        let failing = {
            let dispatcher = dispatcher.clone();
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                dispatcher.hand_back(slow);
            })
        };
        let handed = dispatcher.take(1, &clock, &|| false).unwrap();
        assert_eq!((handed.batch.number, handed.came_back), (0, true));
        failing.join().unwrap();
        // Nobody is ahead of it while it is under way again.
        assert!(dispatcher.lock().is_ahead(dispatcher.most_ahead));
    }

    #[test]
    fn nobody_ends_while_a_batch_may_come_back() {
        let (sender, dispatcher, clock) = dispatcher(3);
        drop(sender);
        let mut batches = (0..3).map(|_| dispatcher.take(0, &clock, &|| false).unwrap().batch);
        let (first, second) = (batches.next().unwrap(), batches.next().unwrap());
        let third = batches.next().unwrap();
        let other = {
            let dispatcher = dispatcher.clone();
            thread::spawn(move || {
                let clock = StageClock::default();
                let mut numbers = Vec::new();
                while let Some(number) = dispatcher.number(1, &clock) {
                    numbers.push(number);
                    dispatcher.done(number);
                }
                numbers
            })
        };
        thread::sleep(Duration::from_millis(20));
        assert!(!other.is_finished());
        dispatcher.done(first.number);
        dispatcher.lose(0);
        dispatcher.hand_back(third);
        thread::sleep(Duration::from_millis(20));
        assert!(!other.is_finished());
        dispatcher.hand_back(second);
        assert_eq!(other.join().unwrap(), [2, 1]);
        assert_eq!(dispatcher.number(0, &clock), None, "its own have all ended");
    }

    #[test]
    fn what_waits_is_bounded_in_bytes() {
        let check = |n_lanes, most_bytes, expect| {
            assert_eq!(most_ahead(n_lanes, most_bytes), expect);
        };
        check(1, 2 << 20, 64);
        check(1, 50 << 20, 10);
        check(1, 1 << 30, 4);
        // Each of them is to have its fill.
        check(8, 50 << 20, 39);
    }

    #[test]
    fn nobody_waits_in_a_run_that_is_abandoned() {
        let (_sender, dispatcher, clock) = dispatcher(1);
        assert_eq!(dispatcher.number(0, &clock), Some(0));
        let start = Instant::now();
        let until = start + Duration::from_millis(60);
        let taken = dispatcher.take(0, &clock, &|| Instant::now() > until);
        assert!(taken.is_none());
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
