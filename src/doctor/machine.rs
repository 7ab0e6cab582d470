//! What several checks know of the machine.

use crate::{
    cancel::CancelToken,
    device::{self, DeviceError, ShownGpu},
    monitor::{self, Inventory},
};
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// What several checks know of the machine: each is asked once.
#[derive(Default)]
pub(super) struct Machine {
    gpus: OnceLock<Result<Vec<ShownGpu>, DeviceError>>,
    inventory: OnceLock<Result<Inventory, String>>,
    driver_hangs: AtomicBool,
    cancel: CancelToken,
}

impl Machine {
    /// A machine that nobody has looked at yet.
    pub(super) fn new(cancel: CancelToken) -> Self {
        Self {
            cancel,
            ..Self::default()
        }
    }

    /// Whether nobody wants to know any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.cancel.reason().is_some()
    }

    /// The GPUs that the driver shows.
    pub(super) fn gpus(&self) -> Result<&[ShownGpu], &DeviceError> {
        let gpus = self.gpus.get_or_init(device::gpus);
        gpus.as_deref()
    }

    /// Whether there is a GPU, so that what it needs has to work.
    pub(super) fn has_gpu(&self) -> bool {
        self.gpus().is_ok()
    }

    /// What NVML says.
    pub(super) fn inventory(&self) -> Result<&Inventory, &str> {
        let inventory = self.inventory.get_or_init(monitor::inventory);
        inventory.as_ref().map_err(String::as_str)
    }

    /// Whether a call of the driver did not return while somebody waited for it.
    pub(super) fn driver_hangs(&self) -> bool {
        self.driver_hangs.load(Ordering::Relaxed)
    }

    pub(super) fn set_driver_hangs(&self) {
        self.driver_hangs.store(true, Ordering::Relaxed);
    }
}
