//! From the device that a script names to one that works.

use super::DeviceError;
use crate::job::DeviceChoice;
use burn::tensor::Device;

/// A device that works.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device, for burn.
    pub device: Device,
    /// Its name, for people.
    pub label: String,
    /// The GPU that it is, if it is one.
    pub gpu: Option<ChosenGpu>,
    /// Why it is not a GPU, where the choice was left to the program.
    pub instead_of_gpu: Option<DeviceError>,
}

/// A GPU that works.
#[derive(Clone, Debug)]
pub struct ChosenGpu {
    /// Its ordinal, under CUDA_VISIBLE_DEVICES.
    pub ordinal: usize,
    /// Its name as the driver gives it.
    pub name: String,
    /// Its UUID as `nvidia-smi -L` writes it.
    pub uuid: String,
}

/// The device that `choice` names. [`DeviceChoice::Auto`] is the first GPU that works, else the
/// CPU.
///
/// # Errors
/// If it cannot be used.
pub fn choose(choice: &DeviceChoice) -> Result<Chosen, DeviceError> {
    match choice {
        DeviceChoice::Auto => Ok(gpu(choice).unwrap_or_else(|error| cpu(Some(error)))),
        DeviceChoice::Cpu => Ok(cpu(None)),
        other => gpu(other),
    }
}

/// Bytes of the memory of `chosen` that nobody uses, if it is a GPU.
pub fn free_bytes(chosen: &Chosen) -> Option<u64> {
    #[cfg(feature = "cuda")]
    {
        let gpu = super::cuda::Gpu::opened(chosen.gpu.as_ref()?.ordinal);
        gpu.free_bytes().ok().map(|bytes| bytes as u64)
    }
    #[cfg(not(feature = "cuda"))]
    {
        // Nothing is a GPU in such a build.
        chosen.gpu.as_ref().and(None)
    }
}

/// Gives the memory of `chosen` back that is kept for tensors to come.
pub fn release_unused(chosen: &Chosen) {
    chosen.device.memory_cleanup();
    #[cfg(feature = "cuda")]
    if let Some(found) = &chosen.gpu {
        // The driver takes back what was freed in the order of a stream once that stream has come so far. A
        // failure is that of a context which is lost, and the next use says so.
        let _ = super::cuda::Gpu::opened(found.ordinal).finish();
    }
}

fn cpu(instead_of_gpu: Option<DeviceError>) -> Chosen {
    Chosen {
        device: Device::flex(),
        label: format!("CPU ({} threads)", rayon::current_num_threads()),
        gpu: None,
        instead_of_gpu,
    }
}

#[cfg(feature = "cuda")]
fn gpu(choice: &DeviceChoice) -> Result<Chosen, DeviceError> {
    let gpu = super::cuda::find(choice)?;
    Ok(Chosen {
        device: Device::cuda(gpu.ordinal()),
        label: gpu.label(),
        gpu: Some(ChosenGpu {
            ordinal: gpu.ordinal(),
            name: gpu.name().to_owned(),
            uuid: gpu.uuid().to_owned(),
        }),
        instead_of_gpu: None,
    })
}

#[cfg(not(feature = "cuda"))]
fn gpu(choice: &DeviceChoice) -> Result<Chosen, DeviceError> {
    Err(DeviceError::NotBuilt(choice.clone()))
}
