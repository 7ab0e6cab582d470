//! From readings of the meters to samples.

use super::RunFacts;
use crate::meter::{LaneReading, Meters, Metric, Reading, Sample, Stage};
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
    let per_sec = |n: f64| (seconds > 0.0).then(|| n / seconds);
    let (total, counts) = (&now.counts, &since.counts);
    let room = total.batches as f64 * facts.token_budget as f64;
    let wait = since.stage(Stage::Encoding).starved;
    // A batch may take as long as an interval: whole ones would make these rates jump.
    let sequences = counts.sequences as f64 + since.begun.sequences;
    let tokens = counts.tokens as f64 + since.begun.tokens;
    for (metric, value) in [
        (Metric::Seconds, Some(now.seconds)),
        (Metric::Records, Some(total.records as f64)),
        (Metric::Rejected, Some(total.rejected as f64)),
        (Metric::Residues, Some(total.residues as f64)),
        (Metric::Batches, Some(total.batches as f64)),
        (Metric::Sequences, Some(total.sequences as f64)),
        (Metric::Tokens, Some(total.tokens as f64)),
        (Metric::BatchesQueued, Some(now.depths.batches as f64)),
        (Metric::BatchesInFlight, Some(now.depths.in_flight as f64)),
        (Metric::RowsQueued, Some(now.depths.rows as f64)),
        (Metric::RecordsPerSec, per_sec(counts.records as f64)),
        (Metric::SequencesPerSec, per_sec(sequences)),
        (Metric::TokensPerSec, per_sec(tokens)),
        (
            Metric::PackingFill,
            (room > 0.0).then(|| total.tokens as f64 / room),
        ),
        (Metric::Tflops, tflops(since, facts)),
        (Metric::Mfu, mfu(since, facts)),
        (Metric::EncoderIdle, encoder_idle(since, facts)),
        (
            Metric::WaitMs,
            (counts.batches > 0).then(|| wait / counts.batches as f64 * 1e3),
        ),
    ] {
        sample.set(metric, value);
    }
    for stage in Stage::ALL {
        let time = since.stage(stage);
        let parts = [time.working, time.starved, time.blocked];
        for (metric, part) in Metric::shares_of(stage).into_iter().zip(parts) {
            sample.set(metric, (time.total() > 0.0).then(|| part / time.total()));
        }
    }
    sample
}

/// Seconds that a GPU tells of: what it took for its batches and was idle between them. A short interval
/// holds one or two of these, and by this process's clock a rate would jump between them.
fn told_seconds(lane: &LaneReading) -> f64 {
    lane.counts.compute_seconds + lane.counts.idle_seconds
}

/// Useful TFLOP per second of all lanes.
fn tflops(since: &Reading, facts: &RunFacts) -> Option<f64> {
    let rate = |flops: f64, seconds: f64| (seconds > 0.0).then(|| flops / seconds / 1e12);
    if !facts.is_gpu() {
        return rate(since.counts.flops, since.seconds);
    }
    let lanes = since.lanes.iter();
    lanes
        .filter_map(|lane| rate(lane.counts.flops, told_seconds(lane)))
        .reduce(|a, b| a + b)
}

/// Useful FLOP over what the peaks of all GPUs would have done.
fn mfu(since: &Reading, facts: &RunFacts) -> Option<f64> {
    let possible = facts.possible_flops(since.lanes.iter().map(told_seconds))?;
    (possible > 0.0).then(|| since.counts.flops / possible)
}

/// The share of an interval without anything to compute: of all lanes, out of the time of each.
pub(super) fn encoder_idle(since: &Reading, facts: &RunFacts) -> Option<f64> {
    let encoding = since.stage(Stage::Encoding);
    if !facts.is_gpu() {
        return (encoding.total() > 0.0).then(|| 1.0 - encoding.working / encoding.total());
    }
    let known: f64 = since.lanes.iter().map(told_seconds).sum();
    if known > 0.0 {
        return Some(since.counts.idle_seconds / known);
    }
    // The GPU's clock tells of a gap when the batch behind it is done. Without one, a stage that
    // waited for batches all the time, with none that the GPU still has, had none for the GPU.
    let is_starved = encoding.total() > 0.0 && encoding.starved >= 0.99 * encoding.total();
    (is_starved && since.depths.in_flight == 0).then_some(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        meter::{Activity, BatchDone, QueueMeters, StageClock},
        monitor::{
            GpuFacts, LaneFacts,
            verdict::tests::{facts, gpu_lane},
        },
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
            lanes: vec![LaneFacts {
                gpu: Some(GpuFacts {
                    uuid: "GPU-0".to_owned(),
                    peak_flops: Some(1e12),
                }),
            }],
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
        // One that tells nothing yet neither computed nor was idle.
        batch(&meters, 1, 1.0, 1.0);
        let sample = sampler.take();
        assert_eq!(sample.get(Metric::EncoderIdle), Some(0.5));
        assert_eq!(sample.get(Metric::Mfu), Some(5e9 / 6e12));
    }
}
