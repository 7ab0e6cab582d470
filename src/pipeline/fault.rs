//! What takes a device out of a run while the others go on.

use super::stage::Halt;
use crate::{
    device::DeviceError,
    error::Error,
    event::{Event, EventSender},
    hint::Hint,
    model::{ModelError, Replica},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What takes a device out of a run.
pub(super) enum Fault {
    /// It failed.
    Device(DeviceError),
    /// The code that drives it panicked, as it may where a device is lost.
    Panic {
        /// In which stage.
        stage: &'static str,
        /// What it said.
        message: String,
    },
}

/// The faults of the devices of a run.
pub(super) struct Faults {
    events: EventSender,
    /// The first one comes first.
    known: Mutex<Vec<Fault>>,
}

/// A device that failed in a run, to be told of.
pub(super) struct FailedLane {
    /// Its number among the devices of the model.
    pub(super) lane: usize,
    /// Its device, in a word.
    pub(super) device: String,
    /// Batches that it had.
    pub(super) n_batches: usize,
    /// Why it failed.
    pub(super) reason: String,
}

/// Does the `stage` work of a device.
///
/// # Errors
/// If it failed with something that is no fault of the device, and that another one would fail with, too.
pub(super) fn attempt<T>(
    stage: &'static str,
    work: impl FnOnce() -> Result<T, ModelError>,
) -> Result<Result<T, Fault>, Halt> {
    // What a panic leaves half done is in the device's own structures, and nobody works with it any more.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(Ok(value)),
        Ok(Err(ModelError::Device(DeviceError::Abandoned))) => Err(Halt::Abandoned),
        Ok(Err(ModelError::Device(error))) => Ok(Err(Fault::Device(error))),
        Ok(Err(error)) => Err(error.into()),
        Err(payload) => Ok(Err(Fault::Panic {
            stage,
            message: message(&*payload),
        })),
    }
}

impl Fault {
    /// Takes the device out of all later runs, too, if it is not merely too small.
    pub(super) fn mark(&self, replica: &Replica) {
        if !matches!(self, Self::Device(DeviceError::OutOfMemory { .. })) {
            replica.mark_lost(&self.in_full());
        }
    }

    /// What happened, for people.
    pub(super) fn in_full(&self) -> String {
        match self {
            Self::Device(error) => error.in_full(),
            Self::Panic { stage, message } => format!("its {stage} thread panicked: {message}"),
        }
    }
}

impl Faults {
    /// Of a run that tells of them in `events`.
    pub(super) fn new(events: &EventSender) -> Self {
        Self {
            events: events.clone(),
            known: Mutex::default(),
        }
    }

    /// Adds one.
    pub(super) fn add(&self, fault: Fault) {
        self.known().push(fault);
    }

    /// Tells of a device that failed, and for people how the run goes on, if it does.
    pub(super) fn tell(&self, failed: FailedLane, goes_on: Option<&str>) {
        let FailedLane {
            lane,
            device,
            n_batches,
            reason,
        } = failed;
        // Otherwise the error of the run says it.
        let warning = goes_on.map(|goes_on| format!("{device} failed, {goes_on}: {reason}"));
        self.events.send(Event::LaneFailed {
            lane,
            device,
            batches: n_batches as u64,
            reason,
        });
        if let Some(warning) = warning {
            self.events.warn(warning);
        }
    }

    /// The error of a run that has no device left, of which the first fault is the cause.
    pub(super) fn error(&self) -> Error {
        let faults = std::mem::take(&mut *self.known());
        let count = faults.len();
        let first = faults.into_iter().next().map(Error::from);
        match first {
            Some(first) if count > 1 => Error::AllDevicesFailed {
                count,
                first: Box::new(first),
            },
            Some(only) => only,
            None => Error::Conservation("no device is left, and none has failed".to_owned()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a panic said.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("nobody knows why").to_owned()
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Device(error) => error.into(),
            Fault::Panic { stage, .. } => Self::Panicked(stage),
        }
    }
}
