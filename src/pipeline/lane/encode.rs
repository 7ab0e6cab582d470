//! The encoding stage of a lane: batches are given to the model.

use super::{
    super::{fault::attempt, stage::Halt},
    Health, LanePlan,
    dispatcher::Handed,
    ticket::Ticket,
};
use crate::{
    meter::Activity,
    model::{Answer, InFlight, Stager, padded_ids},
    queue::QueueSender,
};

/// A batch that was given to the model.
pub(in super::super) struct Submitted {
    pub(super) ticket: Ticket,
    pub(super) state: State,
    /// Seconds that the stage had waited for it.
    pub(super) waited: f64,
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
    pub(super) stager: Stager,
    pub(super) in_flight: QueueSender<Submitted>,
    pub(super) health: Health<'a>,
}

/// What the encoding stage leaves.
#[derive(Default)]
pub(in super::super) struct Encoded {
    /// Sequences of batches that another lane had before.
    pub(in super::super) taken_again: u64,
    /// Sequences of the batch that went back.
    pub(in super::super) handed_back: u64,
}

impl Encoding<'_> {
    /// Gives batches to the model until there are no more, or the device fails while others are left.
    ///
    /// # Errors
    /// If the model fails, or the run is abandoned.
    pub(super) fn run(self) -> Result<Encoded, Halt> {
        let Health {
            lane,
            replica,
            dispatcher,
            watch,
            ..
        } = &self.health;
        let clock = &watch.meters().encoding;
        clock.switch(Activity::Working);
        let abandonment = &self.plan.abandonment;
        let is_over = || abandonment.is_declared() || self.health.has_failed();
        let mut left = Encoded::default();
        loop {
            let before = clock.time().starved;
            let Some(Handed { batch, came_back }) = dispatcher.take(*lane, clock, &is_over) else {
                return match abandonment.is_declared() {
                    true => Err(Halt::Abandoned),
                    false => Ok(left),
                };
            };
            let waited = clock.time().starved - before;
            let packed = &batch.batch;
            let lengths = packed.ranges().map(|range| range.len());
            let (flops, n_tokens) = (self.plan.model.flops(lengths), packed.n_tokens());
            let sequences = packed.n_records() as u64;
            if came_back {
                left.taken_again += sequences;
            }
            watch.arrived(sequences, n_tokens as u64);
            let submitted = attempt("encoding", || {
                let tokens = self.stager.stage(padded_ids(packed), &packed.cu_seqlens)?;
                let tokens = tokens.with_pieces(packed.pieces());
                let in_flight = replica.submit(tokens, self.plan.question, abandonment)?;
                Ok(if self.plan.overlap {
                    State::Computing(in_flight)
                } else {
                    State::Done(in_flight.wait(&self.plan.spare)?)
                })
            })?;
            let state = match submitted {
                Ok(state) => state,
                Err(fault) => {
                    self.health.lose(fault)?;
                    self.health.hand_back(batch);
                    left.handed_back += sequences;
                    clock.stop();
                    return Ok(left);
                }
            };
            let submitted = Submitted {
                ticket: Ticket { batch, flops },
                state,
                waited,
            };
            // The collecting stage is gone if it failed; its own error says why.
            self.in_flight
                .send(clock, sequences, submitted)
                .map_err(|_| Halt::Abandoned)?;
        }
    }
}
