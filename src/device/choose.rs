//! From the device that a script names to one that works.

use crate::job::DeviceChoice;
use burn::tensor::Device;

/// A device that works.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device, for burn.
    pub device: Device,
    /// Its name, for people.
    pub label: String,
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The program does not run models on this kind of device.
    #[error(
        "device \"{0}\" is not supported yet: models run on the CPU; leave `device` out or set it \
         to \"cpu\""
    )]
    NotSupported(DeviceChoice),
}

/// The device that `choice` names.
///
/// # Errors
/// If it cannot be used.
pub fn choose(choice: &DeviceChoice) -> Result<Chosen, DeviceError> {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Cpu => Ok(Chosen {
            device: Device::flex(),
            label: format!("CPU ({} threads)", rayon::current_num_threads()),
        }),
        other => Err(DeviceError::NotSupported(other.clone())),
    }
}
