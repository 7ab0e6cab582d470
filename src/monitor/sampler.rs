//! From readings of the meters to samples.

use super::RunFacts;
use crate::meter::{Meters, Metric, Reading, Sample, Stage};
use std::sync::Arc;

/// Takes samples of a run, each of the time since the one before.
pub(super) struct Sampler {
    meters: Arc<Meters>,
    facts: RunFacts,
    last: Reading,
}

impl Sampler {
    pub(super) fn new(meters: Arc<Meters>, facts: RunFacts) -> Self {
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
        self.last = now;
        sample(&now, &since, self.facts)
    }
}

/// The sample of an interval: the reading at its end, and what happened in it.
fn sample(now: &Reading, since: &Reading, facts: RunFacts) -> Sample {
    let seconds = since.seconds;
    let mut sample = Sample::new(seconds);
    let per_sec = |n: f64| (seconds > 0.0).then(|| n / seconds);
    let (total, counts) = (&now.counts, &since.counts);
    for (metric, value) in [
        (Metric::Seconds, now.seconds),
        (Metric::Records, total.records as f64),
        (Metric::Rejected, total.rejected as f64),
        (Metric::Residues, total.residues as f64),
        (Metric::Batches, total.batches as f64),
        (Metric::Sequences, total.sequences as f64),
        (Metric::Tokens, total.tokens as f64),
        (Metric::BatchesQueued, now.depths.batches as f64),
        (Metric::BatchesInFlight, now.depths.in_flight as f64),
        (Metric::RowsQueued, now.depths.rows as f64),
    ] {
        sample.set(metric, value);
    }
    // A GPU tells how long it took for its batches, which a short interval holds one or two of: by this
    // process's clock the rate would jump between them.
    let taken = match facts.is_gpu {
        true => counts.compute_seconds + counts.idle_seconds,
        false => seconds,
    };
    let tflops = (taken > 0.0).then(|| counts.flops / taken / 1e12);
    let room = total.batches as f64 * facts.token_budget as f64;
    let wait = since.stage(Stage::Encoding).starved;
    for (metric, value) in [
        (Metric::RecordsPerSec, per_sec(counts.records as f64)),
        (Metric::SequencesPerSec, per_sec(counts.sequences as f64)),
        (Metric::TokensPerSec, per_sec(counts.tokens as f64)),
        (
            Metric::PackingFill,
            (room > 0.0).then(|| total.tokens as f64 / room),
        ),
        (Metric::Tflops, tflops),
        (
            Metric::Mfu,
            tflops.and_then(|tflops| Some(tflops * 1e12 / facts.peak_flops?)),
        ),
        (Metric::EncoderIdle, encoder_idle(since, facts.is_gpu)),
        (
            Metric::WaitMs,
            (counts.batches > 0).then(|| wait / counts.batches as f64 * 1e3),
        ),
    ] {
        sample.set(metric, value);
    }
    for (stage, [working, starved, blocked]) in Stage::ALL.into_iter().zip([
        [
            Metric::ReadingWorking,
            Metric::ReadingStarved,
            Metric::ReadingBlocked,
        ],
        [
            Metric::PackingWorking,
            Metric::PackingStarved,
            Metric::PackingBlocked,
        ],
        [
            Metric::EncodingWorking,
            Metric::EncodingStarved,
            Metric::EncodingBlocked,
        ],
        [
            Metric::CollectingWorking,
            Metric::CollectingStarved,
            Metric::CollectingBlocked,
        ],
        [
            Metric::WritingWorking,
            Metric::WritingStarved,
            Metric::WritingBlocked,
        ],
    ]) {
        let time = since.stage(stage);
        let share = |part: f64| (time.total() > 0.0).then(|| part / time.total());
        sample.set(working, share(time.working));
        sample.set(starved, share(time.starved));
        sample.set(blocked, share(time.blocked));
    }
    sample
}

/// The share of an interval without anything to compute.
pub(super) fn encoder_idle(since: &Reading, is_gpu: bool) -> Option<f64> {
    let encoding = since.stage(Stage::Encoding);
    if !is_gpu {
        let working = encoding.working - since.counts.closure_seconds;
        return (encoding.total() > 0.0).then(|| 1.0 - working.max(0.0) / encoding.total());
    }
    let counts = &since.counts;
    let known = counts.idle_seconds + counts.compute_seconds;
    if known > 0.0 {
        return Some(counts.idle_seconds / known);
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
        meter::{Activity, QueueMeters, StageClock},
        monitor::tiers::tests::facts,
    };
    use std::{
        thread::sleep,
        time::{Duration, Instant},
    };

    fn meters() -> Arc<Meters> {
        let queues = QueueMeters::default();
        Arc::new(Meters::new(Instant::now(), 2, queues, |_, _| {
            StageClock::default()
        }))
    }

    #[test]
    fn samples_are_of_the_time_since_the_last_one() {
        let meters = meters();
        let facts = RunFacts {
            token_budget: 100,
            peak_flops: Some(1e12),
            ..facts()
        };
        let mut sampler = Sampler::new(meters.clone(), facts);
        meters.clock(Stage::Encoding).switch(Activity::Working);
        for n in 1..=2 {
            meters.count(|counts| {
                counts.batches += 2;
                counts.tokens += 150;
                counts.flops += 1e10;
                counts.compute_seconds += 3.0;
                counts.idle_seconds += 1.0;
            });
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
        // A batch that the GPU still has keeps a starved stage from meaning an idle GPU.
        meters.clock(Stage::Encoding).switch(Activity::Starved);
        for (n_done, idle) in [(4, None), (5, Some(1.0))] {
            meters.count(|counts| (counts.submitted, counts.batches) = (5, n_done));
            sampler.take();
            sleep(Duration::from_millis(5));
            assert_eq!(sampler.take().get(Metric::EncoderIdle), idle);
        }
        assert_eq!(sample.get(Metric::WaitMs), None);
    }
}
