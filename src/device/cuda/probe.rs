//! Finding a GPU that everything needed works on, without a panic.
//!
//! cudarc opens libraries at their first use and panics where one is missing, so each is asked for
//! first.

use super::{Doing, Gpu};
use crate::{device::DeviceError, job::DeviceChoice};
use cudarc::{
    cublaslt,
    driver::{
        result::{self, device},
        sys::{self, CUdevice_attribute},
    },
    nvrtc,
};

/// The oldest compute capability that the kernels are written for: Ampere's.
const LEAST_CAPABILITY: (u32, u32) = (8, 0);

/// The GPU that `choice` names, opened.
///
/// # Errors
/// If the driver, the GPU, or a part of the CUDA toolkit is missing or too old.
pub(crate) fn find(choice: &DeviceChoice) -> Result<&'static Gpu, DeviceError> {
    // SAFETY: it only tries to open the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    result::init().map_err(|error| match error.0 {
        sys::CUresult::CUDA_ERROR_NO_DEVICE => DeviceError::NoGpu,
        _ => DeviceError::Driver(super::describe(error)),
    })?;
    let present = list()?;
    // One that is too old is named only where there is no better one.
    let new_enough = |found: &&Found| found.capability >= LEAST_CAPABILITY;
    let fitting = || present.iter().filter(|found| found.matches(choice));
    let Some(found) = fitting().find(new_enough).or_else(|| fitting().next()) else {
        if present.is_empty() {
            return Err(DeviceError::NoGpu);
        }
        return Err(DeviceError::NoSuchGpu {
            asked: choice.clone(),
            present: present.iter().map(Found::describe).collect(),
        });
    };
    if found.capability < LEAST_CAPABILITY {
        return Err(DeviceError::TooOld {
            name: found.name.clone(),
            capability: found.capability,
        });
    }
    toolkit()?;
    Gpu::open(found)
}

/// Checks that the parts of the CUDA toolkit that are needed are there.
fn toolkit() -> Result<(), DeviceError> {
    // SAFETY: it only tries to open the library.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err(DeviceError::NoLibrary("libnvrtc"));
    }
    // SAFETY: as above.
    if !unsafe { cublaslt::sys::is_culib_present() } {
        return Err(DeviceError::NoLibrary("libcublasLt"));
    }
    // CubeCL's compiler gives its own kernels this folder, and ends its thread without it.
    let headers = cubecl::cuda::install::cuda_path().map(|path| path.join("include/cuda_fp16.h"));
    if !headers.is_some_and(|path| path.is_file()) {
        return Err(DeviceError::NoHeaders);
    }
    Ok(())
}

/// A GPU that the driver shows.
pub(super) struct Found {
    pub(super) ordinal: usize,
    pub(super) device: sys::CUdevice,
    pub(super) name: String,
    /// As `nvidia-smi -L` writes it.
    pub(super) uuid: String,
    pub(super) capability: (u32, u32),
}

impl Found {
    fn matches(&self, choice: &DeviceChoice) -> bool {
        match choice {
            DeviceChoice::Auto => true,
            DeviceChoice::Cuda(ordinal) => self.ordinal == *ordinal,
            DeviceChoice::Uuid(uuid) => self.uuid.eq_ignore_ascii_case(uuid),
            DeviceChoice::Cpu | DeviceChoice::Mock => false,
        }
    }

    fn describe(&self) -> String {
        format!("\"cuda:{}\" ({}, {})", self.ordinal, self.name, self.uuid)
    }
}

/// The GPUs that the driver shows, under CUDA_VISIBLE_DEVICES.
fn list() -> Result<Vec<Found>, DeviceError> {
    let n = device::get_count().doing("count the devices")?;
    (0..n)
        .map(|ordinal| {
            let handle = device::get(ordinal).doing("open the device")?;
            let name = device::get_name(handle).doing("read its name")?;
            let uuid = device::get_uuid(handle).doing("read its UUID")?;
            Ok(Found {
                ordinal: ordinal as usize,
                device: handle,
                name,
                uuid: uuid_text(&uuid.bytes.map(|byte| byte as u8)),
                capability: (
                    attribute(
                        handle,
                        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
                    )?,
                    attribute(
                        handle,
                        CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                    )?,
                ),
            })
        })
        .collect()
}

/// A number that the driver knows about a device.
fn attribute(device: sys::CUdevice, which: CUdevice_attribute) -> Result<u32, DeviceError> {
    // SAFETY: `device` came from the driver.
    let value = unsafe { device::get_attribute(device, which) };
    let value = value.doing("read its attributes")?;
    Ok(u32::try_from(value).unwrap_or(0))
}

/// A UUID as `nvidia-smi -L` writes it.
fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::from("GPU-");
    for (n, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&n) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_read_as_nvidia_smi_writes_them() {
        let bytes = std::array::from_fn(|n| (17 * n) as u8);
        assert_eq!(
            uuid_text(&bytes),
            "GPU-00112233-4455-6677-8899-aabbccddeeff"
        );
    }

    #[test]
    fn a_gpu_that_nobody_has_is_not_found() {
        let nowhere = DeviceChoice::Uuid("GPU-00000000-0000-0000-0000-000000000000".to_owned());
        let Err(error) = find(&nowhere) else {
            panic!("no GPU has this UUID");
        };
        // SAFETY: it only tries to open the library.
        if unsafe { sys::is_culib_present() } {
            let is_explained = match &error {
                DeviceError::NoSuchGpu { asked, present } => {
                    *asked == nowhere && !present.is_empty()
                }
                DeviceError::NoGpu | DeviceError::Driver(_) => true,
                _ => false,
            };
            assert!(is_explained, "{error:?}");
        } else {
            assert!(matches!(error, DeviceError::NoDriver), "{error:?}");
        }
    }
}
