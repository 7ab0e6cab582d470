//! What there is of GPUs and of the CUDA toolkit, looked at without opening a GPU.

use super::{DeviceError, Part, ShownGpu};
use std::path::PathBuf;

/// The version of CUDA that the driver is made for, such as 13000.
///
/// # Errors
/// If there is no driver.
pub fn driver() -> Result<i32, DeviceError> {
    #[cfg(feature = "cuda")]
    {
        super::cuda::driver()
    }
    #[cfg(not(feature = "cuda"))]
    {
        Err(not_built())
    }
}

/// The GPUs that the driver shows: at least one.
///
/// # Errors
/// If there is no driver, or none that starts, or it shows no GPU.
pub fn gpus() -> Result<Vec<ShownGpu>, DeviceError> {
    #[cfg(feature = "cuda")]
    {
        super::cuda::shown()
    }
    #[cfg(not(feature = "cuda"))]
    {
        Err(not_built())
    }
}

/// The parts of the CUDA toolkit that are needed at run time, none in a program that was built without CUDA.
pub fn toolkit_parts() -> Vec<Part> {
    #[cfg(feature = "cuda")]
    {
        super::cuda::parts().into()
    }
    #[cfg(not(feature = "cuda"))]
    {
        Vec::new()
    }
}

/// Checks that the parts of the toolkit are there, and go together with each other and with the driver.
///
/// # Errors
/// If they are not or do not.
pub fn toolkit_is_ready() -> Result<(), DeviceError> {
    #[cfg(feature = "cuda")]
    {
        super::cuda::ready()
    }
    #[cfg(not(feature = "cuda"))]
    {
        Err(not_built())
    }
}

/// The folder of compiled kernels and choices of algorithms, and whether they can be kept there; nothing where no
/// folder is named, or in a program that was built without CUDA.
pub fn code_cache() -> Option<(PathBuf, std::io::Result<()>)> {
    #[cfg(feature = "cuda")]
    {
        super::cuda::Cache::of_user().check()
    }
    #[cfg(not(feature = "cuda"))]
    {
        None
    }
}

#[cfg(not(feature = "cuda"))]
fn not_built() -> DeviceError {
    DeviceError::NotBuilt(crate::job::DeviceChoice::AllGpus)
}
