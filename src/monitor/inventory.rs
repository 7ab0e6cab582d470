//! What NVML says of the machine's GPUs, whichever CUDA_VISIBLE_DEVICES shows.

use super::gpu;

/// What NVML says of the machine's GPUs.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The version of the driver.
    pub driver: String,
    /// Every GPU of the machine.
    pub gpus: Vec<InstalledGpu>,
}

/// A GPU as NVML sees it, with what it tells of it.
#[derive(Clone, Debug)]
pub struct InstalledGpu {
    /// Its UUID, as CUDA writes it.
    pub uuid: String,
    /// Bytes of its memory that nobody uses.
    pub free_bytes: Option<u64>,
    /// Whether it is cut into slices.
    pub is_mig: Option<bool>,
    /// Whether errors in its memory are corrected.
    pub is_ecc: Option<bool>,
    /// Whether the driver stays loaded while nobody uses it.
    pub is_persistent: Option<bool>,
}

/// What NVML says of the machine's GPUs.
///
/// # Errors
/// In words, if NVML is missing or does not answer.
pub fn inventory() -> Result<Inventory, String> {
    let nvml = gpu::library()?;
    let text = |error: nvml_wrapper::error::NvmlError| error.to_string();
    let gpus = (0..nvml.device_count().map_err(text)?).map(|index| {
        let device = nvml.device_by_index(index).map_err(text)?;
        Ok(InstalledGpu {
            uuid: device.uuid().map_err(text)?,
            free_bytes: device.memory_info().ok().map(|memory| memory.free),
            is_mig: device.mig_mode().ok().map(|mode| mode.current == 1),
            is_ecc: device
                .is_ecc_enabled()
                .ok()
                .map(|ecc| ecc.currently_enabled),
            is_persistent: device.is_in_persistent_mode().ok(),
        })
    });
    Ok(Inventory {
        driver: nvml.sys_driver_version().map_err(text)?,
        gpus: gpus.collect::<Result<_, String>>()?,
    })
}
