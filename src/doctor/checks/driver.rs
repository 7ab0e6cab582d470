//! The driver of NVIDIA GPUs.

use crate::{
    device::{self, DeviceError},
    doctor::{
        check::Tell,
        finding::{Finding, State},
        machine::Machine,
    },
};
use std::path::Path;

/// Its version, and the version of CUDA that it is made for.
pub(super) fn look(machine: &Machine, tell: Tell) {
    let version = match device::driver() {
        Ok(version) => version,
        Err(error) => {
            let finding = match &error {
                DeviceError::BrokenDriver(_) => Finding::of_error(State::Failure, "driver", &error),
                DeviceError::NoDriver if has_hardware() => {
                    Finding::of_error(State::Failure, "driver", &error)
                }
                // Models run on the CPU then, which is no fault.
                _ => Finding::note("driver", format!("{error}, so models run on the CPU")),
            };
            tell(finding.with("cuda", serde_json::Value::Null));
            return;
        }
    };
    let cuda = format!("{}.{}", version / 1000, version % 1000 / 10);
    let finding = match machine.inventory() {
        Ok(inventory) => Finding::good("driver", format!("{}, for CUDA {cuda}", inventory.driver))
            .with("version", inventory.driver.as_str()),
        Err(reason) => Finding::warning(
            "driver",
            format!("for CUDA {cuda}; NVML tells nothing: {reason}"),
            "runs work without NVML, and are measured less; libnvidia-ml.so.1 belongs to the driver",
        ),
    };
    tell(finding.with("cuda", cuda));
}

/// Whether the kernel's part of the driver is there, so that there are GPUs.
fn has_hardware() -> bool {
    Path::new("/proc/driver/nvidia/version").exists() || Path::new("/dev/nvidiactl").exists()
}
