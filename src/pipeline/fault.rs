//! What takes a device out of a run while the others go on.

use super::stage::Halt;
use crate::{
    device::DeviceError,
    error::Error,
    hint::Hint,
    model::{ModelError, Replica},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
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
