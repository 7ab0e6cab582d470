//! A lane: a device with its replica of the model, its upload slots, and the two threads that keep it busy.
//!
//! Lanes pull batches from one queue, so that a fast one takes more. A batch is taken to the device in its
//! lane, and its rows leave for the one writer of the run.

mod collect;
mod encode;
mod lead;
mod ticket;

use super::stage::{Guard, Halt, joined};
use crate::{
    batch::Rows,
    cancel::Abandonment,
    device::GpuTiming,
    error::Error,
    event::EventSender,
    job::{EmbedOptions, Pooling},
    meter::{Flow, FlowMeter},
    model::{Model, Replica, Stager, StagerOptions},
    monitor::LaneWatch,
    queue::{QueueReceiver, QueueSender, bounded},
    sink::Pulse,
};
use collect::Collecting;
use encode::Encoding;
use std::{
    sync::{Arc, mpsc::Sender},
    thread::{Scope, ScopedJoinHandle},
};

pub(super) use encode::Submitted;
pub(super) use lead::Lead;
pub(super) use ticket::NumberedBatch;

/// Batches that may wait on a GPU in the queue of those in flight. One more is being waited for and one
/// handed over, so the GPU never waits for this process.
const IN_FLIGHT: usize = 2;
/// Batches whose operations the device thread has yet to enqueue: at most those in flight, one being waited
/// for, one handed over and one being staged, and one to spare.
const SLOTS: usize = IN_FLIGHT + 4;

/// What all lanes of a run share.
#[derive(Clone)]
pub(super) struct LanePlan<'a> {
    pub(super) model: &'a Model,
    /// Indices of hidden states, in output order.
    pub(super) layers: &'a [usize],
    pub(super) pooling: Pooling,
    /// Whether a batch is brought to the device, and another one's answer fetched, while it computes.
    pub(super) overlap: bool,
    pub(super) batches: QueueReceiver<NumberedBatch>,
    pub(super) rows: QueueSender<Rows>,
    pub(super) lead: Arc<Lead>,
    /// To be told of each batch that came back.
    pub(super) pulse: Pulse,
    pub(super) events: EventSender,
    pub(super) abandonment: Abandonment,
}

/// A device at work.
pub(super) struct Lane<'a> {
    plan: LanePlan<'a>,
    replica: &'a Replica,
    stager: Stager,
    watch: LaneWatch,
}

/// The threads of a lane.
pub(super) struct RunningLane<'scope> {
    encoding: ScopedJoinHandle<'scope, Result<(), Halt>>,
    collecting: ScopedJoinHandle<'scope, Result<Option<GpuTiming>, Halt>>,
    in_flight: FlowMeter,
}

/// What a lane leaves.
pub(super) struct EndedLane {
    pub(super) encoded: Result<(), Halt>,
    /// What a GPU measured beside the time that it computed.
    pub(super) collected: Result<Option<GpuTiming>, Halt>,
    /// Sequences through its queue of batches in flight.
    pub(super) in_flight: Flow,
}

impl<'a> Lane<'a> {
    /// The lane of a replica, with slots for batches of `token_budget` tokens.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub(super) fn new(
        plan: LanePlan<'a>,
        replica: &'a Replica,
        token_budget: usize,
        options: &EmbedOptions,
        watch: LaneWatch,
    ) -> Result<Self, Error> {
        let stager = replica.stager(StagerOptions {
            token_budget,
            n_slots: SLOTS,
            poisoned: options.poison,
        })?;
        Ok(Self {
            plan,
            replica,
            stager,
            watch,
        })
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
        let (sender, receiver, in_flight) = bounded::<Submitted>(IN_FLIGHT);
        let LanePlan {
            model,
            rows,
            lead,
            pulse,
            events,
            ..
        } = self.plan.clone();
        let collecting = Collecting {
            model,
            in_flight: receiver,
            rows,
            lead,
            pulse,
            watch: self.watch.clone(),
            events,
        };
        let encoding = Encoding {
            plan: self.plan,
            replica: self.replica,
            stager: self.stager,
            in_flight: sender,
            watch: self.watch,
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
        }
    }
}
