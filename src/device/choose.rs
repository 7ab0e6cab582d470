//! From the devices that a script names to devices that work.

use super::{Cores, DeviceError};
use crate::job::{CpuShare, DeviceChoice};
use burn::tensor::Device;

/// A device that works.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device, for burn.
    pub device: Device,
    /// Its name, for people.
    pub label: String,
    /// The cores that compute, if it is the CPU.
    pub cores: Option<Cores>,
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
    /// Its compute capability, major and minor.
    pub capability: (u32, u32),
    /// GPUs of its kind that the driver shows beside it, where the choice was the program's.
    pub n_left_over: usize,
}

/// The devices that `choice` names: at least one, but for the mock device, which needs none. They compute
/// alike. [`DeviceChoice::Auto`] is the first GPU that works, else the CPU. Of the CPU `share` is taken.
///
/// # Errors
/// If one cannot be used, or they do not go together.
pub fn choose(choice: &DeviceChoice, share: CpuShare) -> Result<Vec<Chosen>, DeviceError> {
    match choice {
        DeviceChoice::Auto => match gpus(choice) {
            Ok(gpus) => Ok(gpus),
            Err(error) => Ok(vec![cpu(share, Some(error))?]),
        },
        DeviceChoice::Cpu => Ok(vec![cpu(share, None)?]),
        DeviceChoice::Mock => Ok(Vec::new()),
        DeviceChoice::AllGpus | DeviceChoice::Gpus(_) => gpus(choice),
    }
}

/// The devices for people: GPUs of one kind are named together.
pub fn label(chosen: &[Chosen]) -> String {
    match chosen {
        [] => "mock".to_owned(),
        [one] => one.label.clone(),
        several => {
            let name = several.iter().find_map(|one| Some(&one.gpu.as_ref()?.name));
            let ordinals = several.iter().filter_map(|one| one.gpu.as_ref());
            let ordinals: Vec<_> = ordinals
                .map(|gpu| format!("cuda:{}", gpu.ordinal))
                .collect();
            format!(
                "{} × {} ({})",
                several.len(),
                name.map_or("device", String::as_str),
                ordinals.join(", ")
            )
        }
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

fn cpu(share: CpuShare, instead_of_gpu: Option<DeviceError>) -> Result<Chosen, DeviceError> {
    let cores = Cores::new(share)?;
    let plural = if cores.n_threads() == 1 { "" } else { "s" };
    let lanes = match cores.n_batches() {
        n if n == cores.n_threads() => String::new(),
        1 => ", 1 lane".to_owned(),
        n => format!(", {n} lanes"),
    };
    Ok(Chosen {
        device: Device::flex(),
        label: format!("CPU ({} thread{plural}{lanes})", cores.n_threads()),
        cores: Some(cores),
        gpu: None,
        instead_of_gpu,
    })
}

#[cfg(feature = "cuda")]
fn gpus(choice: &DeviceChoice) -> Result<Vec<Chosen>, DeviceError> {
    let (gpus, n_others) = super::cuda::find(choice)?;
    // Who names a GPU wants that one.
    let n_left_over = match choice {
        DeviceChoice::Auto => n_others,
        _ => 0,
    };
    let chosen = gpus.into_iter().map(|gpu| Chosen {
        device: Device::cuda(gpu.ordinal()),
        label: gpu.label(),
        cores: None,
        gpu: Some(ChosenGpu {
            ordinal: gpu.ordinal(),
            name: gpu.name().to_owned(),
            uuid: gpu.uuid().to_owned(),
            capability: gpu.capability(),
            n_left_over,
        }),
        instead_of_gpu: None,
    });
    Ok(chosen.collect())
}

#[cfg(not(feature = "cuda"))]
fn gpus(choice: &DeviceChoice) -> Result<Vec<Chosen>, DeviceError> {
    Err(DeviceError::NotBuilt(choice.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ordinals: &[usize]) -> Vec<Chosen> {
        let gpu = |&ordinal: &usize| Chosen {
            device: Device::flex(),
            label: format!("NVIDIA H100 (cuda:{ordinal})"),
            cores: None,
            gpu: Some(ChosenGpu {
                ordinal,
                name: "NVIDIA H100".to_owned(),
                uuid: format!("GPU-{ordinal}"),
                capability: (9, 0),
                n_left_over: 0,
            }),
            instead_of_gpu: None,
        };
        ordinals.iter().map(gpu).collect()
    }

    #[test]
    fn devices_are_named_together() {
        assert_eq!(label(&chosen(&[1])), "NVIDIA H100 (cuda:1)");
        assert_eq!(label(&chosen(&[0, 2])), "2 × NVIDIA H100 (cuda:0, cuda:2)");
        assert_eq!(label(&[]), "mock");
    }

    #[test]
    fn the_cpu_is_one_device_and_the_mock_device_needs_none() {
        let cpu = choose(&DeviceChoice::Cpu, CpuShare::default()).expect("every machine has one");
        assert!(matches!(cpu.as_slice(), [one] if one.gpu.is_none()));
        assert!(
            choose(&DeviceChoice::Mock, CpuShare::default())
                .expect("it needs none")
                .is_empty()
        );
    }
}
