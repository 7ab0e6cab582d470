//! The collecting stage: embeddings come back from the device.

use super::{
    Halt,
    encode::{State, Submitted},
};
use crate::{
    device::{BatchTiming, GpuTiming, Timeline},
    error::Error,
    event::{Event, EventSender},
    meter::{Activity, BatchDone},
    model::{Computed, Encoded, ModelError},
    monitor::LaneWatch,
    queue::{QueueReceiver, QueueSender},
    sink::EmbeddedBatch,
};
use std::time::{Duration, Instant};

/// The collecting stage.
pub(super) struct Collecting {
    pub(super) in_flight: QueueReceiver<Submitted>,
    pub(super) rows: QueueSender<EmbeddedBatch>,
    pub(super) lane: LaneWatch,
    pub(super) events: EventSender,
}

impl Collecting {
    /// Waits for batches until there are no more, and returns what a GPU measured beside the time
    /// that it computed.
    ///
    /// # Errors
    /// If the device failed, or an embedding is not finite.
    pub(super) fn run(self) -> Result<Option<GpuTiming>, Halt> {
        let clock = &self.lane.meters().collecting;
        clock.switch(Activity::Working);
        let mut all_gpu: Option<GpuTiming> = None;
        let mut timeline = Timeline::default();
        let mut previous_end = None;
        while let Some(submitted) = self.in_flight.receive(clock) {
            let computed = match submitted.state {
                State::Computing(batch) => clock.during(Activity::Starved, || batch.wait()),
                State::Done(computed) => Ok(computed),
            };
            let encoded = computed.and_then(Computed::check).map_err(Error::from)?;
            let Encoded {
                rows,
                embeddings,
                n_tokens,
                flops,
                marks,
            } = encoded;
            let timing = timeline.add(marks);
            let timing = timing.map_err(|error| Error::from(ModelError::from(error)))?;
            let (sequences, tokens) = (rows.len() as u64, n_tokens as u64);
            if let Some(gpu) = timing.gpu {
                *all_gpu.get_or_insert_default() += gpu;
            }
            let (start, end) = when(timing, submitted.at, previous_end);
            previous_end = Some(end);
            self.lane.came_back(&BatchDone {
                sequences,
                tokens,
                flops,
                idle_seconds: timing.gpu.map_or(0.0, |gpu| gpu.idle),
                start,
                end,
            });
            self.events.send(Event::BatchEncoded {
                sequences,
                tokens,
                seconds: timing.compute,
                waited_seconds: submitted.waited,
            });
            // The writer is gone if it failed; its own error says why.
            self.rows
                .send(clock, sequences, EmbeddedBatch { rows, embeddings })
                .map_err(|_| Halt::Abandoned)?;
        }
        clock.stop();
        Ok(all_gpu)
    }
}

/// When the device computed a batch that was given to it by `submitted`, on this process's clock. A
/// GPU tells how long it took and was idle before, but not at what time: its first batch ends now.
fn when(
    timing: BatchTiming,
    submitted: Instant,
    previous_end: Option<Instant>,
) -> (Instant, Instant) {
    let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let compute = duration(timing.compute);
    let end = match (timing.gpu, previous_end) {
        // It was computed before it was handed on.
        (None, _) => submitted,
        (Some(gpu), Some(previous)) => previous + duration(gpu.idle) + compute,
        (Some(_), None) => Instant::now(),
    };
    (end.checked_sub(compute).unwrap_or(end), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_of_a_device_ends_a_run() {
        let start = Instant::now();
        for odd in [f64::NAN, f64::INFINITY, -1e-9] {
            let timing = BatchTiming {
                compute: odd,
                gpu: None,
            };
            assert_eq!(when(timing, start, None), (start, start));
        }
    }
}
