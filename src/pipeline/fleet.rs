//! The devices of a run, without those that fail before it begins.

use super::{
    fault::{Fault, attempt},
    stage::{Halt, joined},
};
use crate::{
    error::Error,
    event::EventSender,
    model::{Model, ModelError, Replica},
};
use std::thread;

/// What is done with a device before a run begins.
const STAGE: &str = "starting";

/// The devices of a run. There is always one.
pub(super) struct Fleet<'a> {
    replicas: Vec<&'a Replica>,
    n_lost: u64,
}

impl<'a> Fleet<'a> {
    /// The devices of a model that no earlier run has lost.
    ///
    /// # Errors
    /// If all were lost.
    pub(super) fn of(model: &'a Model) -> Result<Self, Error> {
        Ok(Self {
            replicas: model.living()?,
            n_lost: 0,
        })
    }

    /// The model on each of the devices.
    pub(super) fn replicas(&self) -> &[&'a Replica] {
        &self.replicas
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
        events: &EventSender,
        work: impl Fn(usize, &'a Replica) -> Result<T, ModelError> + Sync,
    ) -> Result<Vec<T>, Error> {
        let replicas = std::mem::take(&mut self.replicas);
        let work = &work;
        let results: Vec<_> = thread::scope(|scope| {
            let replicas = replicas.iter().copied().enumerate();
            let threads = replicas
                .map(|(n, replica)| scope.spawn(move || attempt(STAGE, || work(n, replica))));
            let threads: Vec<_> = threads.collect();
            let ended = threads.into_iter().map(|thread| joined(thread, STAGE));
            ended.collect()
        });
        let mut made = Vec::with_capacity(replicas.len());
        let mut lost = Vec::new();
        for (replica, result) in replicas.into_iter().zip(results) {
            match result {
                Ok(Ok(value)) => {
                    self.replicas.push(replica);
                    made.push(value);
                }
                Ok(Err(fault)) => {
                    fault.mark(replica);
                    lost.push((replica, fault));
                }
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Abandoned) => return Err(Error::Panicked(STAGE)),
            }
        }
        if self.replicas.is_empty()
            && let Some((_, fault)) = lost.pop()
        {
            return Err(fault.into());
        }
        for (replica, fault) in lost {
            self.n_lost += 1;
            events.warn(goes_on_without(replica, &fault));
        }
        Ok(made)
    }
}

fn goes_on_without(replica: &Replica, fault: &Fault) -> String {
    format!(
        "{} failed, and the run begins without it: {}",
        replica.device(),
        fault.in_full()
    )
}
