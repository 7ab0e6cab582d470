//! A lane that is slower than its like.

use crate::{
    meter::{LaneReading, Reading, Sample, Stage},
    monitor::{LaneFacts, RunFacts},
};

/// A lane whose rate is below this share of the others' median lags. GPUs of one model differ by themselves: their
/// chips are not equally good, and under one limit of power the better ones clock higher. Up to about a tenth is
/// ordinary, and nothing that anybody could mend.
const LEAST_SHARE: f64 = 0.85;
/// Fewer batches than this say nothing of how fast a lane is: their deviation is not known well enough.
const LEAST_BATCHES: u64 = 10;
/// Batches take longer or shorter for a token as their sequences are long or short, and lanes get them by chance. So
/// a lane must be behind by this many times the error that both means have from that, too. By chance alone that
/// happens once in more than a thousand looks.
const LEAST_ERRORS: f64 = 3.0;

/// A lane that is slower than the others like it.
pub(super) struct Lag<'a> {
    /// Its number.
    pub(super) lane: usize,
    pub(super) facts: &'a LaneFacts,
    /// Tokens per second of its own time.
    pub(super) rate: f64,
    /// The median of the others'.
    pub(super) usual: f64,
    /// The lanes like it, without it.
    pub(super) others: Vec<usize>,
    /// What all lanes together would embed per second if it were as fast as the others, over what they do.
    pub(super) gain: f64,
    /// What was measured meanwhile.
    pub(super) samples: &'a [Sample],
}

/// How fast a lane is, by what it does when it has something to do.
#[derive(Clone, Copy)]
struct Speed {
    lane: usize,
    /// Tokens per second of its own time.
    rate: f64,
    /// The error of the rate, as a share of it.
    error: f64,
}

impl<'a> Lag<'a> {
    /// The lane that lags most, if one does and that costs the run anything: lanes take batches from one queue, so
    /// where they wait for batches a slow one only leaves more to the others.
    pub(super) fn find(span: &Reading, facts: &'a RunFacts, samples: &'a [Sample]) -> Option<Self> {
        let encoding = span.stage(Stage::Encoding);
        if encoding.starved > facts.thresholds.gpu_idle * encoding.total() {
            return None;
        }
        let readings = span.lanes.iter().enumerate();
        let speeds: Vec<Speed> = readings
            .filter_map(|(lane, reading)| Speed::of(lane, reading))
            .collect();
        let all: f64 = speeds.iter().map(|speed| speed.rate).sum();
        let lags = speeds.iter().filter_map(|speed| {
            // One of another model may be slower by right.
            let lane_facts = facts.lanes.get(speed.lane)?;
            let is_alike = |other: &&Speed| {
                let other_facts = facts.lanes.get(other.lane);
                other.lane != speed.lane
                    && other_facts.is_some_and(|other| model(other) == model(lane_facts))
            };
            let others: Vec<Speed> = speeds.iter().filter(is_alike).copied().collect();
            let usual = median(&others)?;
            let error = (speed.error.powi(2) + usual.error.powi(2)).sqrt();
            let behind = 1.0 - speed.rate / usual.rate;
            let lags = behind > 1.0 - LEAST_SHARE && behind > LEAST_ERRORS * error;
            lags.then(|| Self {
                lane: speed.lane,
                facts: lane_facts,
                rate: speed.rate,
                usual: usual.rate,
                others: others.iter().map(|other| other.lane).collect(),
                gain: (all - speed.rate + usual.rate) / all,
                samples,
            })
        });
        lags.min_by(|a, b| (a.rate / a.usual).total_cmp(&(b.rate / b.usual)))
    }
}

impl Speed {
    /// The speed of a lane that has done enough to tell. One that failed is not slow.
    fn of(lane: usize, reading: &LaneReading) -> Option<Self> {
        let counts = reading.counts;
        if reading.has_failed || counts.batches < LEAST_BATCHES {
            return None;
        }
        // Where its device has nothing to do since there is no batch, or no room for what it computed, others are to
        // blame. Where its own thread is at work meanwhile, the lane is.
        let own_gaps = counts.idle_seconds.min(reading.encoding.working);
        let seconds = counts.compute_seconds + own_gaps;
        let n_batches = counts.batches as f64;
        let mean = counts.pace / n_batches;
        let variance = (counts.pace_squared / n_batches - mean * mean).max(0.0);
        let speed = Self {
            lane,
            rate: counts.tokens as f64 / seconds,
            error: (variance / n_batches).sqrt() / mean,
        };
        // A device that takes no time for anything has no speed.
        (speed.rate.is_finite() && speed.error.is_finite()).then_some(speed)
    }
}

/// The one in the middle, and of two the slower one.
fn median(speeds: &[Speed]) -> Option<Speed> {
    let mut speeds = speeds.to_vec();
    speeds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = speeds.len().checked_sub(1)? / 2;
    speeds.get(middle).copied()
}

fn model(facts: &LaneFacts) -> Option<&str> {
    facts.gpu.as_ref().map(|gpu| gpu.name.as_str())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{
        meter::{Counts, StageTime},
        monitor::verdict::tests::{facts, gpu_lane},
    };

    /// A lane that embedded a hundred batches of a thousand tokens, and took so many seconds for each of them, a bit
    /// more for every other one and less for the rest.
    pub(in crate::monitor::verdict) fn lane(seconds: f64, variation: f64) -> LaneReading {
        let mut counts = Counts::default();
        for n in 0..100 {
            let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
            let seconds = seconds * (1.0 + sign * variation);
            let pace = seconds / 1000.0;
            counts = counts
                + Counts {
                    batches: 1,
                    tokens: 1000,
                    compute_seconds: seconds,
                    pace,
                    pace_squared: pace * pace,
                    ..Counts::default()
                };
        }
        LaneReading {
            counts,
            encoding: StageTime {
                working: 0.5,
                starved: 0.0,
                blocked: 9.5,
            },
            ..LaneReading::default()
        }
    }

    pub(in crate::monitor::verdict) fn span(lanes: Vec<LaneReading>) -> Reading {
        let all = (lanes.iter()).fold(LaneReading::default(), |sum, lane| sum + *lane);
        let mut span = Reading {
            seconds: 10.0,
            counts: all.counts,
            lanes,
            ..Reading::default()
        };
        span.stages[Stage::Encoding as usize] = all.encoding;
        span
    }

    fn run(n_lanes: usize) -> RunFacts {
        RunFacts {
            lanes: vec![gpu_lane(None); n_lanes],
            ..facts()
        }
    }

    fn lag_of(lanes: Vec<LaneReading>) -> Option<usize> {
        let facts = run(lanes.len());
        Lag::find(&span(lanes), &facts, &[]).map(|lag| lag.lane)
    }

    #[test]
    fn a_lane_that_is_clearly_slower_lags() {
        let check = |paces: &[f64], variation: f64, expect: Option<usize>| {
            let lanes = paces.iter().map(|pace| lane(0.1 * pace, variation));
            assert_eq!(lag_of(lanes.collect()), expect, "{paces:?} {variation}");
        };
        check(&[1.0, 1.0, 2.0, 1.0], 0.1, Some(2));
        check(&[1.5, 1.0], 0.1, Some(0));
        // The slowest one is named.
        check(&[1.0, 1.0, 2.0, 1.0, 1.0, 2.1], 0.1, Some(5));
        check(&[1.0, 1.1, 1.0], 0.1, None);
        check(&[1.0, 1.25, 1.0], 0.1, Some(1));
        // Batches that differ so much say less.
        check(&[1.0, 1.25, 1.0], 0.9, None);
        check(&[1.0], 0.1, None);
        check(&[3.0], 0.1, None);
        check(&[], 0.1, None);
    }

    #[test]
    fn a_fast_lane_makes_the_others_no_slow_ones() {
        assert_eq!(
            lag_of(vec![lane(0.1, 0.1), lane(0.1, 0.1), lane(0.05, 0.1)]),
            None
        );
    }

    #[test]
    fn a_lane_that_gets_less_is_not_slow() {
        // It computed a third of the time, as fast as the others.
        let mut less = lane(0.1, 0.1);
        less.counts = Counts {
            batches: 30,
            tokens: 30_000,
            compute_seconds: 3.0,
            idle_seconds: 7.0,
            pace: 30.0 * 1e-4,
            pace_squared: 30.0 * 1e-8,
            ..Counts::default()
        };
        less.encoding = StageTime {
            working: 0.1,
            starved: 0.4,
            blocked: 9.5,
        };
        assert_eq!(lag_of(vec![lane(0.1, 0.1), less, lane(0.1, 0.1)]), None);
        // Where its own thread is what its device waits for, it is.
        less.encoding = StageTime {
            working: 9.9,
            starved: 0.1,
            blocked: 0.0,
        };
        assert_eq!(lag_of(vec![lane(0.1, 0.1), less, lane(0.1, 0.1)]), Some(1));
    }

    #[test]
    fn what_lags_for_a_reason_of_its_own_is_not_slow() {
        let mut failed = lane(0.3, 0.1);
        failed.has_failed = true;
        assert_eq!(lag_of(vec![lane(0.1, 0.1), failed, lane(0.1, 0.1)]), None);
        let mut few = lane(0.1, 0.1);
        few.counts = Counts {
            batches: 5,
            tokens: 5000,
            compute_seconds: 5.0,
            pace: 5e-3,
            pace_squared: 5e-6,
            ..Counts::default()
        };
        assert_eq!(lag_of(vec![lane(0.1, 0.1), few, lane(0.1, 0.1)]), None);
        // Another model of GPU is another speed.
        let lanes = vec![lane(0.1, 0.1), lane(0.1, 0.1), lane(0.3, 0.1)];
        let mut facts = run(3);
        if let Some(gpu) = &mut facts.lanes[2].gpu {
            "NVIDIA A10".clone_into(&mut gpu.name);
        }
        assert!(Lag::find(&span(lanes), &facts, &[]).is_none());
        // Where all of them wait for batches, a slow one costs nothing.
        let starved = |seconds| LaneReading {
            encoding: StageTime {
                working: 0.5,
                starved: 4.0,
                blocked: 5.5,
            },
            ..lane(seconds, 0.1)
        };
        assert_eq!(lag_of(vec![starved(0.1), starved(0.3)]), None);
    }
}
