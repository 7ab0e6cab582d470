//! The collecting stage of a lane: embeddings come back from the device.

use super::{super::stage::Halt, Lead, Submitted, encode::State, ticket::Ticket};
use crate::{
    batch::Rows,
    device::{BatchTiming, GpuTiming, Timeline},
    error::Error,
    event::{Event, EventSender},
    meter::{Activity, BatchDone},
    model::{Answer, Model, ModelError},
    monitor::LaneWatch,
    queue::{QueueReceiver, QueueSender},
    sink::Pulse,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The collecting stage of a lane.
pub(super) struct Collecting<'a> {
    pub(super) model: &'a Model,
    pub(super) in_flight: QueueReceiver<Submitted>,
    pub(super) rows: QueueSender<Rows>,
    pub(super) lead: Arc<Lead>,
    pub(super) pulse: Pulse,
    pub(super) watch: LaneWatch,
    pub(super) events: EventSender,
}

impl Collecting<'_> {
    /// Waits for batches until there are no more, and returns what a GPU measured beside the time
    /// that it computed.
    ///
    /// # Errors
    /// If the device failed, or an embedding is not finite.
    pub(super) fn run(self) -> Result<Option<GpuTiming>, Halt> {
        let clock = &self.watch.meters().collecting;
        clock.switch(Activity::Working);
        let mut all_gpu: Option<GpuTiming> = None;
        let mut timeline = Timeline::default();
        let mut previous_end = None;
        while let Some(submitted) = self.in_flight.receive(clock) {
            let Answer {
                values,
                offsets,
                marks,
            } = match submitted.state {
                State::Computing(batch) => clock.during(Activity::Starved, || batch.wait()),
                State::Done(answer) => Ok(answer),
            }?;
            let Ticket {
                number,
                rows,
                n_tokens,
                flops,
            } = submitted.ticket;
            self.lead.leave(number);
            let timing = timeline.add(marks).map_err(ModelError::from)?;
            let rows = Rows::new(rows, values, offsets)
                .map_err(|error| Error::Conservation(error.to_string()))?;
            if let Some(row) = rows.first_not_finite() {
                return Err(self.model.not_finite(row).into());
            }
            let (sequences, tokens) = (rows.len() as u64, n_tokens as u64);
            if let Some(gpu) = timing.gpu {
                *all_gpu.get_or_insert_default() += gpu;
            }
            let (start, end) = when(timing, submitted.at, previous_end);
            previous_end = Some(end);
            self.watch.came_back(&BatchDone {
                sequences,
                tokens,
                flops,
                idle_seconds: timing.gpu.map_or(0.0, |gpu| gpu.idle),
                start,
                end,
            });
            self.pulse.beat();
            self.events.send(Event::BatchEncoded {
                sequences,
                tokens,
                seconds: timing.compute,
                waited_seconds: submitted.waited,
            });
            // The writer is gone if it failed; its own error says why.
            self.rows
                .send(clock, sequences, rows)
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
