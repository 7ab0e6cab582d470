//! From readings of the meters to samples.

use super::{LaneFacts, RunFacts};
use crate::meter::{
    Counts, LaneReading, Measured, Meters, Metric, Reading, Sample, Stage, StageTime,
};
use std::sync::Arc;

/// Takes samples of a run, each of the time since the one before.
pub(super) struct Sampler {
    meters: Arc<Meters>,
    facts: Arc<RunFacts>,
    last: Reading,
}

impl Sampler {
    pub(super) fn new(meters: Arc<Meters>, facts: Arc<RunFacts>) -> Self {
        let last = meters.read();
        Self {
            meters,
            facts,
            last,
        }
    }

    /// What happened since the last call.
    pub(super) fn take(&mut self) -> Sample {
        let now = self.meters.read();
        let since = now.since(&self.last);
        let sample = sample(&now, &since, &self.facts);
        self.last = now;
        sample
    }
}

/// The sample of an interval: the reading at its end, and what happened in it.
fn sample(now: &Reading, since: &Reading, facts: &RunFacts) -> Sample {
    let seconds = since.seconds;
    let mut sample = Sample::new(seconds);
    let all = Work {
        lanes: (facts.lanes.iter().zip(&since.lanes)).collect(),
        in_flight: now.depths.in_flight,
        total: now.counts,
    };
    let total = &now.counts;
    for (metric, value) in [
        (Metric::Records, Some(total.records as f64)),
        (Metric::Rejected, Some(total.rejected as f64)),
        (Metric::Residues, Some(total.residues as f64)),
        (Metric::BatchesQueued, Some(now.depths.batches as f64)),
        (Metric::RowsQueued, Some(now.depths.rows as f64)),
        (
            Metric::RecordsPerSec,
            (seconds > 0.0).then(|| since.counts.records as f64 / seconds),
        ),
    ] {
        sample.set(metric, value);
    }
    for stage in Stage::ALL {
        set_shares(
            &mut |metric, share| sample.set(metric, share),
            stage,
            since.stage(stage),
        );
    }
    all.measure(now.seconds, seconds, facts, &mut |metric, value| {
        sample.set(metric, value);
    });
    let lanes = facts.lanes.iter().zip(&since.lanes).zip(&now.lanes);
    let lanes = lanes.map(|((lane_facts, since), now_lane)| {
        let mut measured = Measured::default();
        // A lane that failed is not slow, and has no figures any more.
        if !now_lane.has_failed {
            let work = Work {
                lanes: vec![(lane_facts, since)],
                in_flight: now_lane.in_flight,
                total: now_lane.counts,
            };
            work.measure(now.seconds, seconds, facts, &mut |metric, value| {
                measured.set(metric, value);
            });
        }
        measured
    });
    sample.set_lanes(lanes.collect());
    sample
}

/// What was worked in an interval, by all lanes or by one.
struct Work<'a> {
    /// Each lane, and what it did in the interval.
    lanes: Vec<(&'a LaneFacts, &'a LaneReading)>,
    /// Batches that have not come back.
    in_flight: u64,
    /// What went through since the run began.
    total: Counts,
}

impl Work<'_> {
    /// Sets every metric whose scope is a lane, in an interval of `seconds` that ended at `now`.
    fn measure(
        &self,
        now: f64,
        seconds: f64,
        facts: &RunFacts,
        set: &mut impl FnMut(Metric, Option<f64>),
    ) {
        let readings = || self.lanes.iter().map(|(_, reading)| *reading);
        let sum = readings().fold(LaneReading::default(), |sum, lane| sum + *lane);
        let counts = sum.counts;
        let per_sec = |n: f64| (seconds > 0.0).then(|| n / seconds);
        let room = self.total.batches as f64 * facts.token_budget as f64;
        // A batch may take as long as an interval: whole ones would make these rates jump.
        let sequences = counts.sequences as f64 + sum.begun.sequences;
        let tokens = counts.tokens as f64 + sum.begun.tokens;
        for (metric, value) in [
            (Metric::Seconds, Some(now)),
            (Metric::Batches, Some(self.total.batches as f64)),
            (Metric::Sequences, Some(self.total.sequences as f64)),
            (Metric::Tokens, Some(self.total.tokens as f64)),
            (Metric::BatchesInFlight, Some(self.in_flight as f64)),
            (Metric::SequencesPerSec, per_sec(sequences)),
            (Metric::TokensPerSec, per_sec(tokens)),
            (
                Metric::PackingFill,
                (room > 0.0).then(|| self.total.tokens as f64 / room),
            ),
            (Metric::Tflops, self.tflops(seconds)),
            (Metric::Mfu, self.mfu()),
            (
                Metric::EncoderIdle,
                encoder_idle(readings(), self.in_flight, facts.computes_beside()),
            ),
            (
                Metric::WaitMs,
                (counts.batches > 0).then(|| sum.encoding.starved / counts.batches as f64 * 1e3),
            ),
        ] {
            set(metric, value);
        }
        set_shares(set, Stage::Encoding, sum.encoding);
        set_shares(set, Stage::Collecting, sum.collecting);
    }

    /// Useful TFLOP per second of all lanes.
    fn tflops(&self, seconds: f64) -> Option<f64> {
        let rate = |flops: f64, seconds: f64| (seconds > 0.0).then(|| flops / seconds / 1e12);
        // Hashes of the mock device are no such operations.
        let lanes = self.lanes.iter().filter(|_| self.total.flops > 0.0);
        let rates = lanes.filter_map(|(facts, lane)| {
            let seconds = facts.gpu.as_ref().map_or(seconds, |_| told_seconds(lane));
            rate(lane.counts.flops, seconds)
        });
        rates.reduce(|a, b| a + b)
    }

    /// Useful FLOP over what the peaks of all GPUs would have done.
    fn mfu(&self) -> Option<f64> {
        let lanes = self.lanes.iter();
        let possible: Option<f64> = lanes
            .map(|(facts, lane)| facts.possible_flops(told_seconds(lane)))
            .sum();
        let flops: f64 = self.lanes.iter().map(|(_, lane)| lane.counts.flops).sum();
        possible
            .filter(|possible| *possible > 0.0)
            .map(|possible| flops / possible)
    }
}

/// Sets the shares of a stage's time.
fn set_shares(set: &mut impl FnMut(Metric, Option<f64>), stage: Stage, time: StageTime) {
    let parts = [time.working, time.starved, time.blocked];
    for (metric, part) in Metric::shares_of(stage).into_iter().zip(parts) {
        set(metric, (time.total() > 0.0).then(|| part / time.total()));
    }
}

/// Seconds that a GPU tells of: what it took for its batches and was idle between them. A short interval
/// holds one or two of these, and by this process's clock a rate would jump between them.
fn told_seconds(lane: &LaneReading) -> f64 {
    lane.counts.compute_seconds + lane.counts.idle_seconds
}

/// The share of an interval without anything to compute: of the lanes whose readings these are, out of the time
/// of each, with so many batches that have not come back.
pub(super) fn encoder_idle<'a>(
    lanes: impl Iterator<Item = &'a LaneReading> + Clone,
    in_flight: u64,
    computes_beside: bool,
) -> Option<f64> {
    let encoding = lanes.clone().map(|lane| lane.encoding);
    let encoding = encoding.fold(StageTime::default(), |a, b| a + b);
    if !computes_beside {
        return (encoding.total() > 0.0).then(|| 1.0 - encoding.working / encoding.total());
    }
    let known: f64 = lanes.clone().map(told_seconds).sum();
    if known > 0.0 {
        let idle: f64 = lanes.map(|lane| lane.counts.idle_seconds).sum();
        return Some(idle / known);
    }
    // The GPU's clock tells of a gap when the batch behind it is done. Without one, a stage that
    // waited for batches all the time, with none that the GPU still has, had none for the GPU.
    let is_starved = encoding.total() > 0.0 && encoding.starved >= 0.99 * encoding.total();
    (is_starved && in_flight == 0).then_some(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        meter::{Activity, BatchDone, QueueMeters, StageClock},
        monitor::verdict::tests::{facts, gpu_lane},
    };
    use std::{
        thread::sleep,
        time::{Duration, Instant},
    };

    fn meters(n_lanes: usize) -> Arc<Meters> {
        let queues = QueueMeters::default();
        let clock = |_, _| StageClock::default();
        Arc::new(Meters::new(Instant::now(), 2, n_lanes, queues, clock))
    }

    /// A lane embeds a batch of 75 tokens and 5 GFLOP for which its GPU took so long.
    fn batch(meters: &Meters, lane: usize, seconds: f64, idle_seconds: f64) {
        let start = Instant::now();
        let lane = meters.lane(lane);
        lane.note_submitted(1, 75, start);
        let end = start + Duration::from_secs_f64(seconds);
        let batch = BatchDone {
            sequences: 1,
            tokens: 75,
            flops: 5e9,
            idle_seconds,
            start,
            end,
        };
        lane.note_done(&batch, end);
    }

    #[test]
    fn samples_are_of_the_time_since_the_last_one() {
        let meters = meters(1);
        let facts = RunFacts {
            token_budget: 100,
            lanes: vec![gpu_lane(Some(1e12))],
            ..facts()
        };
        let mut sampler = Sampler::new(meters.clone(), Arc::new(facts));
        let lane = meters.lane(0);
        lane.encoding.switch(Activity::Working);
        for n in 1..=2 {
            batch(&meters, 0, 1.5, 0.5);
            batch(&meters, 0, 1.5, 0.5);
            sleep(Duration::from_millis(20));
            let sample = sampler.take();
            let of = |metric| sample.get(metric).unwrap();
            assert_eq!(of(Metric::Tokens), 150.0 * f64::from(n));
            assert_eq!(of(Metric::PackingFill), 0.75);
            assert_eq!(of(Metric::EncoderIdle), 0.25);
            assert_eq!(of(Metric::EncodingWorking), 1.0);
            assert!((of(Metric::TokensPerSec) * sample.interval() - 150.0).abs() < 1e-6);
            // By the GPU's clock: 10 GFLOP in four seconds.
            assert!((of(Metric::Mfu) - 0.0025).abs() < 1e-9);
            assert_eq!(sample.get(Metric::ReadingWorking), None, "no reader began");
        }
        let sample = sampler.take();
        assert_eq!(sample.get(Metric::EncoderIdle), None, "it may compute");
        assert_eq!(sample.get(Metric::WaitMs), None);
        // A batch that the GPU still has keeps a starved stage from meaning an idle GPU.
        lane.encoding.switch(Activity::Starved);
        lane.note_submitted(1, 75, Instant::now());
        sampler.take();
        sleep(Duration::from_millis(5));
        assert_eq!(sampler.take().get(Metric::EncoderIdle), None);
        let now = Instant::now();
        let batch = BatchDone {
            sequences: 1,
            tokens: 75,
            flops: 0.0,
            idle_seconds: 0.0,
            start: now,
            end: now,
        };
        lane.note_done(&batch, now);
        sampler.take();
        sleep(Duration::from_millis(5));
        assert_eq!(sampler.take().get(Metric::EncoderIdle), Some(1.0));
    }

    #[test]
    fn shares_of_several_lanes_are_out_of_the_time_of_each() {
        let meters = meters(2);
        let facts = RunFacts {
            lanes: vec![gpu_lane(Some(1e12)), gpu_lane(Some(3e12))],
            ..facts()
        };
        let mut sampler = Sampler::new(meters.clone(), Arc::new(facts));
        batch(&meters, 0, 1.0, 1.0);
        batch(&meters, 1, 2.0, 0.0);
        let sample = sampler.take();
        let of = |metric| sample.get(metric).unwrap();
        assert_eq!(of(Metric::EncoderIdle), 0.25);
        // Each did 5 GFLOP in two seconds, of 2 and 6 TFLOP that they could have done.
        assert!((of(Metric::Tflops) - 0.005).abs() < 1e-9);
        assert!((of(Metric::Mfu) - 10e9 / 8e12).abs() < 1e-9);
        let lanes = sample.lanes().iter();
        let lanes: Vec<_> = lanes
            .map(|lane| {
                let metrics = [
                    Metric::Tokens,
                    Metric::EncoderIdle,
                    Metric::Tflops,
                    Metric::Mfu,
                ];
                metrics.map(|metric| lane.get(metric).unwrap())
            })
            .collect();
        assert_eq!(
            lanes,
            [[75.0, 0.5, 0.0025, 0.0025], [75.0, 0.0, 0.0025, 2.5 / 3e3]]
        );
        assert_eq!(sample.lanes()[0].get(Metric::Records), None, "of no lane");
        // One that tells nothing yet neither computed nor was idle.
        batch(&meters, 1, 1.0, 1.0);
        let sample = sampler.take();
        assert_eq!(sample.get(Metric::EncoderIdle), Some(0.5));
        assert_eq!(sample.get(Metric::Mfu), Some(5e9 / 6e12));
        // One that failed has no figures, which is not the same as none being embedded.
        meters.lane(0).note_failed();
        batch(&meters, 1, 2.0, 0.0);
        let sample = sampler.take();
        let tokens = sample.lanes().iter().map(|lane| lane.get(Metric::Tokens));
        assert_eq!(tokens.collect::<Vec<_>>(), [None, Some(225.0)]);
        assert_eq!(sample.get(Metric::Tokens), Some(300.0));
    }
}
