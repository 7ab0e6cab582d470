//! One GPU, opened: its streams, memory and events, and the in-order enqueue on burn's stream.

mod cache;
mod download;
mod enqueue;
mod event;
mod found;
mod gpu;
mod library;
mod memory;
mod probe;
mod select;
mod toolkit;
mod upload;

pub(crate) use cache::Cache;
pub(crate) use download::Download;
pub(crate) use enqueue::{conclude, enqueue};
pub(crate) use event::{Event, Marks};
pub(crate) use gpu::Gpu;
pub(crate) use memory::DeviceMemory;
pub(crate) use probe::{driver, find, shown};
pub(crate) use toolkit::{
    compiler_version, include_folder, is_set_here, parts, ready, show_headers,
};
pub(crate) use upload::{Upload, UploadRing};

use super::DeviceError;
use cudarc::driver::DriverError;

/// What was being done when CUDA said no.
pub(crate) trait Doing<T> {
    /// The result, with what was being done in its error.
    fn doing(self, doing: &'static str) -> Result<T, DeviceError>;
}

impl<T> Doing<T> for Result<T, DriverError> {
    fn doing(self, doing: &'static str) -> Result<T, DeviceError> {
        self.map_err(|error| {
            let reason = describe(error);
            if error.0 == cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                DeviceError::OutOfMemory { reason }
            } else {
                DeviceError::Cuda { doing, reason }
            }
        })
    }
}

/// The driver's own words for an error.
pub(crate) fn describe(error: DriverError) -> String {
    error.error_string().map_or_else(
        |_| format!("error {}", error.0 as u32),
        |text| text.to_string_lossy().into_owned(),
    )
}

/// The CUDA version of the driver, such as 13000 for 13.0; 0 where there is no driver or it does not
/// tell.
pub(crate) fn driver_version() -> i32 {
    let mut version = 0;
    // SAFETY: it only tries to open the library.
    if unsafe { cudarc::driver::sys::is_culib_present() } {
        // SAFETY: it writes a number.
        let _ = unsafe { cudarc::driver::sys::cuDriverGetVersion(&raw mut version) };
    }
    version
}
