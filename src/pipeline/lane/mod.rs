//! A lane: a device with its replica of the model, its upload slots, and the two threads that keep it busy.
//!
//! Lanes pull batches from one queue, so that a fast one takes more. A batch is taken to the device in its
//! lane, and its rows leave for the one writer of the run. A lane whose device fails hands its batches back,
//! and the others take them.

mod collect;
mod dispatcher;
mod encode;
mod health;
mod ticket;

use super::{
    fault::Faults,
    stage::{Guard, Halt, joined},
};
use crate::{
    batch::{Rows, SpareValues},
    cancel::Abandonment,
    event::EventSender,
    job::{EmbedOptions, Question},
    meter::{Flow, FlowMeter},
    model::{Model, ModelError, Replica, Stager, StagerOptions},
    monitor::LaneWatch,
    queue::{QueueSender, bounded},
    sink::Pulse,
};
use collect::Collecting;
use encode::Encoding;
use health::Health;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
    thread::{Scope, ScopedJoinHandle},
};

pub(super) use collect::Collected;
pub(super) use dispatcher::Dispatcher;
pub(super) use encode::{Encoded, Submitted};
pub(super) use ticket::NumberedBatch;

/// Batches whose operations the device thread of a GPU has yet to enqueue, beside those in the queue of those in
/// flight: at most one being waited for, one handed over and one being staged, and one to spare.
const SLOTS_BESIDE: usize = 4;

/// What all lanes of a run share.
#[derive(Clone)]
pub(super) struct LanePlan<'a> {
    pub(super) model: &'a Model,
    /// What the model is asked of each sequence.
    pub(super) question: &'a Question,
    /// Whether a batch is brought to the device, and another one's answer fetched, while it computes.
    pub(super) overlap: bool,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) faults: Arc<Faults>,
    pub(super) rows: QueueSender<Rows>,
    /// Memory of answers that have been written.
    pub(super) spare: SpareValues,
    /// To be told of each batch that came back.
    pub(super) pulse: Pulse,
    pub(super) events: EventSender,
    pub(super) abandonment: Abandonment,
}

/// A device at work.
pub(super) struct Lane<'a> {
    plan: LanePlan<'a>,
    stager: Stager,
    health: Health<'a>,
}

/// The threads of a lane.
pub(super) struct RunningLane<'scope> {
    encoding: ScopedJoinHandle<'scope, Result<Encoded, Halt>>,
    collecting: ScopedJoinHandle<'scope, Result<Collected, Halt>>,
    in_flight: FlowMeter,
    has_failed: Arc<AtomicBool>,
}

/// What a lane leaves.
pub(super) struct EndedLane {
    pub(super) encoded: Result<Encoded, Halt>,
    pub(super) collected: Result<Collected, Halt>,
    /// Sequences through its queue of batches in flight.
    pub(super) in_flight: Flow,
    /// Whether its device failed.
    pub(super) has_failed: bool,
}

/// What brings batches of `token_budget` tokens at most to the device of the lane with this number.
///
/// # Errors
/// If the device has no memory for them.
pub(super) fn stager(
    lane: usize,
    replica: &Replica,
    token_budget: usize,
    options: &EmbedOptions,
) -> Result<Stager, ModelError> {
    replica.stager(StagerOptions {
        token_budget,
        n_slots: replica.in_flight() + SLOTS_BESIDE,
        poisoned: options.poison,
        lost_at: (options.lose_gpu).and_then(|(of_lane, batch)| (of_lane == lane).then_some(batch)),
    })
}

impl<'a> Lane<'a> {
    /// The lane of this number.
    pub(super) fn new(
        plan: LanePlan<'a>,
        lane: usize,
        replica: &'a Replica,
        stager: Stager,
        watch: LaneWatch,
    ) -> Self {
        let health = Health {
            lane,
            device: plan.model.lane_name(replica),
            replica,
            dispatcher: plan.dispatcher.clone(),
            watch,
            faults: plan.faults.clone(),
            has_failed: Arc::default(),
        };
        Self {
            plan,
            stager,
            health,
        }
    }

    /// Begins to work. The lane sends word to `alive` when it has no more batches.
    pub(super) fn start<'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        guard: &Guard,
        alive: &Sender<()>,
    ) -> RunningLane<'scope>
    where
        'a: 'scope,
    {
        let (sender, receiver, in_flight) = bounded::<Submitted>(self.health.replica.in_flight());
        let LanePlan {
            model,
            rows,
            spare,
            pulse,
            events,
            ..
        } = self.plan.clone();
        let has_failed = self.health.has_failed.clone();
        let collecting = Collecting {
            model,
            in_flight: receiver,
            rows,
            spare,
            pulse,
            events,
            health: self.health.clone(),
        };
        let encoding = Encoding {
            plan: self.plan,
            stager: self.stager,
            in_flight: sender,
            health: self.health,
        };
        let encoded = alive.clone();
        let encode = move || {
            let result = encoding.run();
            // Nobody listens any more in a run that was told to stop.
            let _ = encoded.send(());
            result
        };
        RunningLane {
            encoding: guard.spawn(scope, alive, encode),
            collecting: guard.spawn(scope, alive, || collecting.run()),
            in_flight,
            has_failed,
        }
    }
}

impl RunningLane<'_> {
    /// Waits until it has ended.
    pub(super) fn join(self) -> EndedLane {
        EndedLane {
            encoded: joined(self.encoding, "encoding"),
            collected: joined(self.collecting, "collecting"),
            in_flight: self.in_flight.flow(),
            has_failed: self.has_failed.load(Ordering::Acquire),
        }
    }
}
