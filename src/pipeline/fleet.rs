//! The devices of a run, without those that fail before it begins.

use super::{
    fault::{FailedLane, Faults, attempt},
    stage::{Halt, joined},
};
use crate::{
    error::Error,
    event::EventSender,
    model::{Model, ModelError, Replica},
};
use std::{sync::Arc, thread};

/// What is done with a device before a run begins.
const STAGE: &str = "starting";

/// The devices of a run. There is always one.
pub(super) struct Fleet<'a> {
    model: &'a Model,
    /// Each with its number among the devices of the model.
    replicas: Vec<(usize, &'a Replica)>,
    n_lost: u64,
    faults: Arc<Faults>,
}

impl<'a> Fleet<'a> {
    /// The devices of a model that no earlier run has lost. Of those that fail `events` tell.
    ///
    /// # Errors
    /// If all were lost.
    pub(super) fn of(model: &'a Model, events: &EventSender) -> Result<Self, Error> {
        Ok(Self {
            model,
            replicas: model.living()?,
            n_lost: 0,
            faults: Arc::new(Faults::new(events)),
        })
    }

    /// The model on each of the devices, with the number that the device has among those of the model.
    pub(super) fn replicas(&self) -> &[(usize, &'a Replica)] {
        &self.replicas
    }

    /// Whether the device with this number takes part.
    pub(super) fn has(&self, number: usize) -> bool {
        self.replicas.iter().any(|(other, _)| *other == number)
    }

    /// What is known of the devices that failed.
    pub(super) fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// Devices that failed before the run began.
    pub(super) fn n_lost(&self) -> u64 {
        self.n_lost
    }

    /// Does `work` with each device and its number, with all at once, and goes on without those that fail.
    /// Gives what it made of the others, in their order.
    ///
    /// # Errors
    /// If none is left, or something failed that is no fault of a device.
    pub(super) fn each<T: Send>(
        &mut self,
        work: impl Fn(usize, &'a Replica) -> Result<T, ModelError> + Sync,
    ) -> Result<Vec<T>, Error> {
        let replicas = std::mem::take(&mut self.replicas);
        let work = &work;
        let results: Vec<_> = thread::scope(|scope| {
            let threads = replicas.iter().map(|&(number, replica)| {
                scope.spawn(move || attempt(STAGE, || work(number, replica)))
            });
            let threads: Vec<_> = threads.collect();
            let ended = threads.into_iter().map(|thread| joined(thread, STAGE));
            ended.collect()
        });
        let mut made = Vec::with_capacity(replicas.len());
        let mut lost = Vec::new();
        for ((number, replica), result) in replicas.into_iter().zip(results) {
            match result {
                Ok(Ok(value)) => {
                    self.replicas.push((number, replica));
                    made.push(value);
                }
                Ok(Err(fault)) => {
                    fault.mark(replica);
                    lost.push((number, replica, fault));
                }
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Abandoned) => return Err(Error::Panicked(STAGE)),
            }
        }
        let goes_on = (!self.replicas.is_empty()).then_some("and the run begins without it");
        for (lane, replica, fault) in lost {
            self.n_lost += 1;
            let failed = FailedLane {
                lane,
                device: self.model.lane_name(replica),
                n_batches: 0,
                reason: fault.in_full(),
            };
            self.faults.add(fault);
            self.faults.tell(failed, goes_on);
        }
        match goes_on {
            Some(_) => Ok(made),
            None => Err(self.faults.error()),
        }
    }
}
