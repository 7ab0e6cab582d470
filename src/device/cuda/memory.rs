//! Memory that the driver gives directly, outside of CubeCL's pools.

use super::{Doing, Gpu, describe};
use crate::device::DeviceError;
use cudarc::driver::{
    result,
    sys::{CUpointer_attribute, cuPointerGetAttribute},
};
use std::{ffi::c_void, ptr::NonNull, slice};

/// Main memory that the GPU copies from and to while the CPU does something else.
pub(super) struct Pinned {
    gpu: &'static Gpu,
    start: NonNull<u8>,
    n_bytes: usize,
}

// SAFETY: it owns its memory, as a `Vec` does.
unsafe impl Send for Pinned {}
// SAFETY: it is changed through `&mut` only.
unsafe impl Sync for Pinned {}

impl Pinned {
    /// `n_bytes`, zeroed.
    ///
    /// # Errors
    /// If there is no such memory left, or what the driver gives is not pinned.
    pub(super) fn new(gpu: &'static Gpu, n_bytes: usize) -> Result<Self, DeviceError> {
        gpu.bind()?;
        let n_bytes = n_bytes.max(1);
        // SAFETY: a context is current.
        let start = unsafe { result::malloc_host(n_bytes, 0) };
        // It is main memory that ran out here, so a smaller batch on the GPU is no remedy.
        let start = start.map_err(|error| DeviceError::Cuda {
            doing: "pin main memory",
            reason: describe(error),
        })?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(DeviceError::NotPinned)?;
        // SAFETY: the driver gave `n_bytes` at `start`.
        unsafe { start.write_bytes(0, n_bytes) };
        let pinned = Self {
            gpu,
            start,
            n_bytes,
        };
        pinned.check()?;
        Ok(pinned)
    }

    /// Asks the driver whether the memory is pinned: only then do copies overlap with computing.
    fn check(&self) -> Result<(), DeviceError> {
        /// `CU_MEMORYTYPE_HOST`.
        const HOST: u32 = 1;
        let mut kind = 0u32;
        // SAFETY: the attribute is written as a 32-bit number.
        let status = unsafe {
            cuPointerGetAttribute(
                (&raw mut kind).cast::<c_void>(),
                CUpointer_attribute::CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                self.start.as_ptr() as u64,
            )
        };
        if status.result().is_ok() && kind == HOST {
            Ok(())
        } else {
            Err(DeviceError::NotPinned)
        }
    }

    /// Whether it was pinned for `gpu`: where another GPU is lost, its memory is, too.
    pub(super) fn is_of(&self, gpu: &'static Gpu) -> bool {
        std::ptr::eq(self.gpu, gpu)
    }

    /// Its size.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `n_bytes` at `start` belong to `self` and are initialised.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.n_bytes) }
    }

    /// Its bytes, to be written.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.n_bytes) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: it came from `malloc_host` and is freed once; whoever started a copy waited
            // for it. A failure means that the context is lost.
            let _ = unsafe { result::free_host(self.start.as_ptr().cast()) };
        }
    }
}

/// Memory of the GPU.
pub(crate) struct DeviceMemory {
    gpu: &'static Gpu,
    address: u64,
    n_bytes: usize,
}

impl DeviceMemory {
    /// `n_bytes`, not initialised.
    ///
    /// # Errors
    /// If there is not so much left.
    pub(crate) fn new(gpu: &'static Gpu, n_bytes: usize) -> Result<Self, DeviceError> {
        gpu.bind()?;
        // SAFETY: a context is current.
        let address = unsafe { result::malloc_sync(n_bytes.max(1)) }.doing("allocate memory")?;
        Ok(Self {
            gpu,
            address,
            n_bytes,
        })
    }

    /// Where it begins.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Its size.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: it came from `malloc_sync` and is freed once; freeing waits for the device.
            let _ = unsafe { result::free_sync(self.address) };
        }
    }
}
