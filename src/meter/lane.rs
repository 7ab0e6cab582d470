//! The meters of a lane: a device, and the threads that give it batches and take them back.

use super::{Counts, StageClock, StageTime};
use std::{
    collections::VecDeque,
    ops::{Add, Sub},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The meters of a lane.
pub struct LaneMeters {
    /// What its encoding thread does.
    pub encoding: StageClock,
    /// What its collecting thread does.
    pub collecting: StageClock,
    state: Mutex<State>,
}

/// A batch that came back from the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchDone {
    /// Its sequences.
    pub sequences: u64,
    /// Its tokens.
    pub tokens: u64,
    /// Useful floating-point operations of computing it.
    pub flops: f64,
    /// Seconds that a GPU had nothing to compute before it, by its own clock. 0 on the CPU.
    pub idle_seconds: f64,
    /// When the device began to compute it, on this process's clock.
    pub start: Instant,
    /// When the device had computed it.
    pub end: Instant,
}

/// What of the batch that a device is computing is done. A device tells of a batch when all of it is
/// done, so this is an estimate: by the speed of the batch before, and never more than the batch has.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Begun {
    /// Sequences.
    pub sequences: f64,
    /// Tokens.
    pub tokens: f64,
}

/// The meters of a lane at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LaneReading {
    /// What went through.
    pub counts: Counts,
    /// What is done of the batch that the device is computing.
    pub begun: Begun,
    /// Where the time of the encoding thread went.
    pub encoding: StageTime,
    /// Where the time of the collecting thread went.
    pub collecting: StageTime,
    /// Batches that were given to the model and have not come back.
    pub in_flight: u64,
    /// Whether it ended before the run did, because its device failed.
    pub has_failed: bool,
}

#[derive(Default)]
struct State {
    counts: Counts,
    has_failed: bool,
    /// Batches that the device has, in their order.
    in_flight: VecDeque<InFlight>,
    /// When the device had computed the last batch that came back.
    free_since: Option<Instant>,
    /// How long the device took for a token of that batch.
    seconds_per_token: f64,
}

struct InFlight {
    sequences: u64,
    tokens: u64,
    /// When the device got it.
    since: Instant,
}

impl LaneMeters {
    /// Meters at zero, with these clocks.
    pub(super) fn new(encoding: StageClock, collecting: StageClock) -> Self {
        Self {
            encoding,
            collecting,
            state: Mutex::default(),
        }
    }

    /// A batch is given to the model at this moment.
    pub fn note_submitted(&self, sequences: u64, tokens: u64, now: Instant) {
        let mut state = self.state();
        state.counts.submitted += 1;
        state.in_flight.push_back(InFlight {
            sequences,
            tokens,
            since: now,
        });
    }

    /// The oldest batch that the device had came back at this moment.
    pub fn note_done(&self, batch: &BatchDone, now: Instant) {
        let seconds = duration(batch).as_secs_f64();
        let seconds_per_token = seconds / batch.tokens.max(1) as f64;
        let mut state = self.state();
        let counts = &mut state.counts;
        counts.batches += 1;
        counts.sequences += batch.sequences;
        counts.tokens += batch.tokens;
        counts.flops += batch.flops;
        counts.compute_seconds += seconds;
        counts.idle_seconds += batch.idle_seconds;
        counts.pace += seconds_per_token;
        counts.pace_squared += seconds_per_token * seconds_per_token;
        state.in_flight.pop_front();
        // When a GPU was done is added up from its own times, and may be a little late by this clock.
        state.free_since = Some(batch.end.min(now));
        state.seconds_per_token = seconds_per_token;
    }

    /// The lane has failed: its clocks stop, what its device had is nowhere any more, and it is no slow lane.
    pub fn note_failed(&self) {
        self.encoding.stop();
        self.collecting.stop();
        let mut state = self.state();
        state.in_flight.clear();
        state.has_failed = true;
    }

    /// All meters at this moment.
    pub(super) fn read(&self, now: Instant) -> LaneReading {
        let state = self.state();
        LaneReading {
            counts: state.counts,
            begun: state.begun(now),
            encoding: self.encoding.time(),
            collecting: self.collecting.time(),
            in_flight: state.in_flight.len() as u64,
            has_failed: state.has_failed,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is done of the oldest batch in flight. Those behind it have not begun as far as anyone knows.
    fn begun(&self, now: Instant) -> Begun {
        let (Some(batch), Some(free_since)) = (self.in_flight.front(), self.free_since) else {
            return Begun::default();
        };
        let seconds = now.saturating_duration_since(batch.since.max(free_since));
        let needed = self.seconds_per_token * batch.tokens as f64;
        let share = match needed > 0.0 {
            true => (seconds.as_secs_f64() / needed).min(1.0),
            false => 0.0,
        };
        Begun {
            sequences: share * batch.sequences as f64,
            tokens: share * batch.tokens as f64,
        }
    }
}

/// How long the device took for a batch.
fn duration(batch: &BatchDone) -> Duration {
    batch.end.saturating_duration_since(batch.start)
}

impl LaneReading {
    /// What happened between `earlier` and this reading. What it is now is that of this one.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: self.counts - earlier.counts,
            begun: self.begun - earlier.begun,
            encoding: self.encoding - earlier.encoding,
            collecting: self.collecting - earlier.collecting,
            in_flight: self.in_flight,
            has_failed: self.has_failed,
        }
    }
}

impl Add for LaneReading {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            counts: self.counts + other.counts,
            begun: self.begun + other.begun,
            encoding: self.encoding + other.encoding,
            collecting: self.collecting + other.collecting,
            in_flight: self.in_flight + other.in_flight,
            has_failed: self.has_failed && other.has_failed,
        }
    }
}

impl Add for Begun {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sequences: self.sequences + other.sequences,
            tokens: self.tokens + other.tokens,
        }
    }
}

impl Sub for Begun {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            sequences: self.sequences - other.sequences,
            tokens: self.tokens - other.tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Activity;

    const TOKENS: u64 = 4000;
    const BATCH: Duration = Duration::from_millis(80);

    fn lane() -> LaneMeters {
        LaneMeters::new(StageClock::default(), StageClock::default())
    }

    fn done(start: Instant, end: Instant) -> BatchDone {
        BatchDone {
            sequences: 10,
            tokens: TOKENS,
            flops: 0.0,
            idle_seconds: 0.0,
            start,
            end,
        }
    }

    #[test]
    fn tokens_are_counted_while_a_batch_is_computed() {
        let (lane, start) = (lane(), Instant::now());
        // A device that takes 80 ms for each of forty batches, and gets each when it begins the one before.
        let mut events: Vec<(Instant, Option<BatchDone>)> = (0..40)
            .flat_map(|n: u32| {
                let (begin, end) = (start + BATCH * n, start + BATCH * (n + 1));
                let submitted = start + BATCH * n.saturating_sub(1);
                [(submitted, None), (end, Some(done(begin, end)))]
            })
            .collect();
        events.sort_by_key(|(when, _)| *when);
        let mut events = events.into_iter().peekable();
        let mut last = lane.read(start);
        let mut tokens = Vec::new();
        for n in 1..=32 {
            let now = start + Duration::from_millis(100) * n;
            while let Some((when, event)) = events.next_if(|(when, _)| *when <= now) {
                match event {
                    None => lane.note_submitted(10, TOKENS, when),
                    Some(batch) => lane.note_done(&batch, when),
                }
            }
            let reading = lane.read(now);
            let since = reading.since(&last);
            tokens.push(since.counts.tokens as f64 + since.begun.tokens);
            last = reading;
        }
        // 50,000 tokens a second, of which whole batches would make 40,000 or 80,000.
        for n_tokens in &tokens {
            assert!((n_tokens - 5000.0).abs() < 1.0, "{tokens:?}");
        }
        let sum: f64 = tokens.iter().sum();
        assert!((sum - 40.0 * TOKENS as f64).abs() < 1e-6, "{sum}");
        assert_eq!(last.begun, Begun::default(), "nothing is left");
    }

    #[test]
    fn a_batch_that_takes_longer_is_never_more_than_a_batch() {
        let (lane, start) = (lane(), Instant::now());
        lane.note_submitted(10, TOKENS, start);
        assert_eq!(
            lane.read(start + BATCH).begun,
            Begun::default(),
            "nobody knows how fast the device is"
        );
        lane.note_done(&done(start, start + BATCH), start + BATCH);
        lane.note_submitted(10, TOKENS, start + BATCH);
        let tokens = |after: u32| lane.read(start + BATCH * after).begun.tokens;
        assert!((tokens(2) - TOKENS as f64).abs() < 1e-6);
        assert_eq!(tokens(9), TOKENS as f64);
        let half = lane.read(start + BATCH * 3 / 2).begun;
        assert!((half.sequences - 5.0).abs() < 1e-6, "{half:?}");
    }

    #[test]
    fn counts_are_those_of_what_came_back() {
        let (lane, start) = (lane(), Instant::now());
        lane.note_submitted(10, TOKENS, start);
        lane.note_submitted(10, TOKENS, start);
        let batch = BatchDone {
            flops: 7.0,
            idle_seconds: 0.5,
            ..done(start, start + BATCH)
        };
        lane.note_done(&batch, start + BATCH);
        let counts = lane.read(start + BATCH).counts;
        let expect = Counts {
            submitted: 2,
            batches: 1,
            sequences: 10,
            tokens: TOKENS,
            flops: 7.0,
            compute_seconds: 0.08,
            idle_seconds: 0.5,
            pace: 0.08 / TOKENS as f64,
            pace_squared: (0.08 / TOKENS as f64).powi(2),
            ..Counts::default()
        };
        assert_eq!(counts, expect);
        assert_eq!(counts + expect - expect, expect);
    }

    #[test]
    fn a_lane_that_failed_stands_still() {
        let (lane, start) = (lane(), Instant::now());
        lane.encoding.switch(Activity::Starved);
        lane.note_submitted(10, TOKENS, start);
        lane.note_done(&done(start, start + BATCH), start + BATCH);
        lane.note_submitted(10, TOKENS, start + BATCH);
        lane.note_failed();
        let then = lane.read(start + BATCH * 3 / 2);
        assert!(then.has_failed);
        assert_eq!((then.in_flight, then.begun), (0, Begun::default()));
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(lane.read(start + BATCH * 4), then);
    }
}
