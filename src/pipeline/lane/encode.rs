//! The encoding stage of a lane: batches are given to the model.

use super::{super::stage::Halt, LanePlan, NumberedBatch, ticket::Ticket};
use crate::{
    device::DeviceError,
    meter::Activity,
    model::{Answer, InFlight, ModelError, Replica, Stager, padded_ids},
    monitor::LaneWatch,
    queue::QueueSender,
};
use std::time::Instant;

/// A batch that was given to the model.
pub(in super::super) struct Submitted {
    pub(super) ticket: Ticket,
    pub(super) state: State,
    /// Seconds that the stage had waited for it.
    pub(super) waited: f64,
    /// When it was given to the model, or computed where that is done at once.
    pub(super) at: Instant,
}

/// How far a batch is.
pub(super) enum State {
    /// Being computed.
    Computing(InFlight),
    /// Computed, in a run without overlap.
    Done(Answer),
}

/// The encoding stage of a lane. On a GPU it only enqueues work, so that the GPU finds the next batch when
/// it is done with one.
pub(super) struct Encoding<'a> {
    pub(super) plan: LanePlan<'a>,
    pub(super) replica: &'a Replica,
    pub(super) stager: Stager,
    pub(super) in_flight: QueueSender<Submitted>,
    pub(super) watch: LaneWatch,
}

impl Encoding<'_> {
    /// Gives batches to the model until there are no more.
    ///
    /// # Errors
    /// If the model fails, or the run is abandoned.
    pub(super) fn run(self) -> Result<(), Halt> {
        let clock = &self.watch.meters().encoding;
        clock.switch(Activity::Working);
        loop {
            let before = clock.time().starved;
            let Some(NumberedBatch { number, batch }) = self.plan.batches.receive(clock) else {
                clock.stop();
                return Ok(());
            };
            let waited = clock.time().starved - before;
            let abandonment = &self.plan.abandonment;
            let wait = |work: &dyn Fn()| clock.during(Activity::Blocked, work);
            self.plan.lead.enter(number, abandonment, wait);
            if abandonment.is_declared() {
                return Err(Halt::Abandoned);
            }
            let lengths = batch.ranges().map(|range| range.len());
            let (flops, n_tokens) = (self.plan.model.flops(lengths), batch.n_tokens());
            let sequences = batch.n_sequences() as u64;
            self.watch.arrived(sequences, n_tokens as u64);
            let cu_seqlens = batch.cu_seqlens.clone();
            let (input_ids, rows) = padded_ids(batch);
            let tokens = self.stager.stage(input_ids, &cu_seqlens);
            let tokens = tokens.map_err(ModelError::from)?;
            let (layers, pooling) = (self.plan.layers, self.plan.pooling);
            let answer = self
                .replica
                .submit(&tokens, layers, pooling, abandonment)
                .map_err(|error| match error {
                    ModelError::Device(DeviceError::Abandoned) => Halt::Abandoned,
                    error => error.into(),
                })?;
            // Its slot is free for another batch as soon as the device thread has enqueued this one.
            drop(tokens);
            let state = if self.plan.overlap {
                State::Computing(answer)
            } else {
                State::Done(answer.wait()?)
            };
            let submitted = Submitted {
                ticket: Ticket {
                    number,
                    rows,
                    n_tokens,
                    flops,
                },
                state,
                waited,
                at: Instant::now(),
            };
            // The collecting stage is gone if it failed; its own error says why.
            self.in_flight
                .send(clock, sequences, submitted)
                .map_err(|_| Halt::Abandoned)?;
        }
    }
}
