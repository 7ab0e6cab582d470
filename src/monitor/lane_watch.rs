//! What the stages of a lane tell the monitor as batches pass.

use super::shared::Shared;
use crate::meter::{BatchDone, LaneMeters, Metric, Sample};
use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Instant,
};

/// What the stages of a lane tell the monitor as batches pass.
#[derive(Clone)]
pub struct LaneWatch {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: usize,
}

impl LaneWatch {
    /// The meters of the lane, whose clocks its stages turn.
    pub fn meters(&self) -> &LaneMeters {
        self.shared.meters.lane(self.lane)
    }

    /// The encoding stage has a batch of so many sequences and tokens, and gives it to the model now.
    pub fn arrived(&self, sequences: u64, tokens: u64) {
        let shared = &self.shared;
        shared.began.get_or_init(|| shared.meters.read());
        self.meters()
            .note_submitted(sequences, tokens, Instant::now());
    }

    /// The lane has failed.
    pub fn failed(&self) {
        self.meters().note_failed();
    }

    /// The oldest batch that the lane has came back.
    pub fn came_back(&self, batch: &BatchDone) {
        let shared = &self.shared;
        self.meters().note_done(batch, Instant::now());
        shared.recorder.batch(self.lane, batch);
        let n_batches = shared.n_batches.fetch_add(1, Ordering::Relaxed) + 1;
        if !n_batches.is_multiple_of(shared.metrics_every) {
            return;
        }
        let sample = {
            let mut sampler = shared
                .by_batch
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let sample = shared.with_latest(sampler.take());
            tracing::info!(target: "runner::metrics", "{}", line(&sample));
            sample
        };
        // Not under the lock, which all lanes share: a slow disk may hold up the one that sends. So two lines
        // of lanes that come at the same moment may change places in the file.
        shared.recorder.metrics(sample);
    }
}

/// A line of measurements for the log.
fn line(sample: &Sample) -> String {
    let count = |metric: Metric| sample.get(metric).unwrap_or(0.0);
    let mut line = format!(
        "batch {:.0}: {:.0} sequences, {:.0} tokens/s, {:.1}% filled, queues {:.0} {:.0} {:.0}",
        count(Metric::Batches),
        count(Metric::Sequences),
        count(Metric::TokensPerSec),
        100.0 * count(Metric::PackingFill),
        count(Metric::BatchesQueued),
        count(Metric::BatchesInFlight),
        count(Metric::RowsQueued),
    );
    for (metric, scale, what, unit) in [
        (Metric::EncoderIdle, 100.0, "encoder idle", "%"),
        (Metric::WaitMs, 1.0, "waited", " ms a batch"),
        (Metric::Mfu, 100.0, "MFU", "%"),
        (Metric::GpuUtilization, 100.0, "GPU", "%"),
        (Metric::GpuPowerWatts, 1.0, "power", " W"),
    ] {
        if let Some(value) = sample.get(metric) {
            line += &format!(", {what} {:.1}{unit}", value * scale);
        }
    }
    line
}
