//! Finding a GPU that everything needed works on, without a panic.
//!
//! cudarc opens libraries at their first use and panics where one is missing, so each is asked for
//! first.

use super::{Gpu, found::Found};
use crate::{device::DeviceError, job::DeviceChoice};
use cudarc::{
    cublaslt,
    driver::{result, sys},
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
    let present = Found::all()?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
