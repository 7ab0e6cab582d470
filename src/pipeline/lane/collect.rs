//! The collecting stage of a lane: embeddings come back from the device.

use super::{
    super::{fault::attempt, stage::Halt},
    Health, Submitted,
    encode::State,
    ticket::Ticket,
};
use crate::{
    batch::{Rows, SpareValues},
    device::{BatchTiming, GpuTiming, Timeline},
    error::Error,
    event::{Event, EventSender},
    meter::{Activity, BatchDone, StageClock},
    model::{Answer, Model, ModelError},
    queue::{QueueReceiver, QueueSender},
    sink::Pulse,
};
use std::time::{Duration, Instant};

/// The collecting stage of a lane.
pub(super) struct Collecting<'a> {
    pub(super) model: &'a Model,
    pub(super) in_flight: QueueReceiver<Submitted>,
    pub(super) rows: QueueSender<Rows>,
    /// Memory of answers that have been written.
    pub(super) spare: SpareValues,
    pub(super) pulse: Pulse,
    pub(super) events: EventSender,
    pub(super) health: Health<'a>,
}

/// What the collecting stage leaves.
#[derive(Default)]
pub(in super::super) struct Collected {
    /// What a GPU measured beside the time that it computed.
    pub(in super::super) gpu: Option<GpuTiming>,
    /// Sequences of batches that went back.
    pub(in super::super) handed_back: u64,
}

impl Collecting<'_> {
    /// Waits for batches until there are no more. If the device fails while others are left, what it had goes
    /// back.
    ///
    /// # Errors
    /// If the device failed and was the last one, or an embedding is not finite.
    pub(super) fn run(self) -> Result<Collected, Halt> {
        let watch = &self.health.watch;
        let clock = &watch.meters().collecting;
        clock.switch(Activity::Working);
        let mut left = Collected::default();
        let mut timeline = Timeline::default();
        let mut previous_end = None;
        // The device failed here: nothing more is expected of it.
        let mut is_lost = false;
        while let Some(submitted) = self.in_flight.receive(clock) {
            let Submitted {
                ticket: Ticket { batch, flops },
                state,
                waited,
            } = submitted;
            let (sequences, tokens) = (batch.batch.n_records() as u64, batch.batch.n_tokens());
            let answered = attempt("collecting", || {
                if is_lost {
                    // Nobody waits for it, but what it still has in hand must be let go of with the same care.
                    drop(state);
                    return Ok(None);
                }
                let answer = wait(state, &self.spare, clock)?;
                let timing = timeline.add(answer.marks).map_err(ModelError::from)?;
                Ok(Some((answer.columns, timing)))
            })?;
            let answered = match answered {
                Ok(answered) => answered,
                Err(fault) => {
                    clock.switch(Activity::Working);
                    self.health.lose(fault)?;
                    None
                }
            };
            let Some((columns, timing)) = answered else {
                is_lost = true;
                self.health.hand_back(batch);
                left.handed_back += sequences;
                continue;
            };
            self.health.dispatcher.done(batch.number);
            let rows = Rows::new(batch.batch.rows, columns)
                .map_err(|error| Error::Conservation(error.to_string()))?;
            if let Some((row, flaw)) = rows.first_not_finite() {
                return Err(self.model.not_finite(row, flaw).into());
            }
            if let Some(gpu) = timing.gpu {
                *left.gpu.get_or_insert_default() += gpu;
            }
            let (start, end) = when(timing, previous_end);
            previous_end = Some(end);
            watch.came_back(&BatchDone {
                sequences,
                tokens: tokens as u64,
                flops,
                idle_seconds: timing.idle,
                start,
                end,
            });
            self.pulse.beat();
            self.events.send(Event::BatchEncoded {
                sequences,
                tokens: tokens as u64,
                seconds: timing.compute,
                waited_seconds: waited,
            });
            // The writer is gone if it failed; its own error says why.
            self.rows
                .send(clock, sequences, rows)
                .map_err(|_| Halt::Abandoned)?;
        }
        clock.stop();
        Ok(left)
    }
}

/// Waits for a batch.
fn wait(state: State, spare: &SpareValues, clock: &StageClock) -> Result<Answer, ModelError> {
    match state {
        State::Computing(batch) => clock.during(Activity::Starved, || batch.wait(spare)),
        State::Done(answer) => Ok(answer),
    }
}

/// When the device computed a batch, on this process's clock. A GPU tells how long it took and was idle before, but not
/// at what time: its first batch ends now.
fn when(timing: BatchTiming, previous_end: Option<Instant>) -> (Instant, Instant) {
    let duration = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let compute = duration(timing.compute);
    let end = match (timing.end, previous_end) {
        (Some(end), _) => end,
        (None, Some(previous)) => previous + duration(timing.idle) + compute,
        (None, None) => Instant::now(),
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
                idle: odd,
                end: Some(start),
                gpu: None,
            };
            assert_eq!(when(timing, None), (start, start));
            let timing = BatchTiming {
                end: None,
                ..timing
            };
            assert_eq!(when(timing, Some(start)), (start, start));
        }
    }
}
