//! The devices of a run, without those that fail before it begins.

use super::{
    fault::{Fault, attempt},
    stage::Halt,
};
use crate::{
    error::Error,
    event::EventSender,
    model::{Model, ModelError, Replica},
};

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

    /// Does `work` with each device, and goes on without those that fail. Gives what it made of the others,
    /// in their order.
    ///
    /// # Errors
    /// If none is left, or something failed that is no fault of a device.
    pub(super) fn each<T>(
        &mut self,
        events: &EventSender,
        mut work: impl FnMut(&'a Replica) -> Result<T, ModelError>,
    ) -> Result<Vec<T>, Error> {
        let mut made = Vec::with_capacity(self.replicas.len());
        let mut rest = std::mem::take(&mut self.replicas).into_iter();
        while let Some(replica) = rest.next() {
            let attempted = attempt("starting", || work(replica)).map_err(|halt| match halt {
                Halt::Failed(error) => error,
                Halt::Abandoned => Error::Panicked("starting"),
            })?;
            match attempted {
                Ok(value) => {
                    self.replicas.push(replica);
                    made.push(value);
                }
                Err(fault) => {
                    fault.mark(replica);
                    if self.replicas.is_empty() && rest.len() == 0 {
                        return Err(fault.into());
                    }
                    self.n_lost += 1;
                    events.warn(goes_on_without(replica, &fault));
                }
            }
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
