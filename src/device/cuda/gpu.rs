//! A GPU, opened once for the life of the process.

use super::{Doing, found::Found};
use crate::device::DeviceError;
use cubecl::{
    cuda::{CudaDevice, CudaRuntime},
    device_handle::DeviceHandle,
};
use cubecl_common::device::Device as _;
use cubecl_environment::stream::{StreamPolicy, set_policy};
use cubecl_server::runtime::Runtime;
use cudarc::driver::{
    result::{self, ctx, primary_ctx, stream},
    sys::{CUcontext, CUstream},
};
use std::sync::{Mutex, OnceLock};

/// The part of CubeCL that owns a GPU's streams and memory. It lives on one thread per GPU.
pub(super) type Server = <CudaRuntime as Runtime>::Server;

/// A GPU, opened. It stays open until the process ends, so that a reference can go to any thread.
pub(crate) struct Gpu {
    ordinal: usize,
    name: String,
    uuid: String,
    capability: (u32, u32),
    n_multiprocessors: usize,
    context: CUcontext,
    pub(super) server: DeviceHandle<Server>,
    /// Copies to the GPU run here, beside the computing.
    pub(super) uploads: CUstream,
    /// Copies from the GPU run here. They are not on the stream of uploads, as they wait for their
    /// batch, and the next upload would wait behind them.
    pub(super) downloads: CUstream,
}

// SAFETY: contexts and streams are handles that the driver lets any thread use.
unsafe impl Send for Gpu {}
// SAFETY: as above; nothing else in it changes.
unsafe impl Sync for Gpu {}

/// More GPUs than any machine has.
const MOST_GPUS: usize = 128;

static GPUS: [OnceLock<Gpu>; MOST_GPUS] = [const { OnceLock::new() }; MOST_GPUS];
/// Keeps two threads from opening a GPU at the same time.
static OPENING: Mutex<()> = Mutex::new(());

impl Gpu {
    /// Opens a GPU, or returns it if it is open already.
    pub(super) fn open(found: &Found) -> Result<&'static Self, DeviceError> {
        let slot = GPUS.get(found.ordinal).ok_or(DeviceError::NoGpu)?;
        let _guard = OPENING
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(gpu) = slot.get() {
            return Ok(gpu);
        }
        // Each thread would have a stream and pools of memory of its own otherwise: a run computes on
        // another thread than the one that loaded its model. It comes before the first use of CubeCL, which
        // looks once.
        set_policy(StreamPolicy::Single);
        // SAFETY: the device came from the driver. The primary context, which CubeCL uses too, is
        // never released.
        let context = unsafe { primary_ctx::retain(found.device) }.doing("open a context")?;
        // SAFETY: the context was just retained.
        unsafe { ctx::set_current(context) }.doing("open a context")?;
        let stream = || stream::create(stream::StreamKind::NonBlocking).doing("make a stream");
        let gpu = Self {
            ordinal: found.ordinal,
            name: found.name.clone(),
            uuid: found.uuid.clone(),
            capability: found.capability,
            n_multiprocessors: found.n_multiprocessors,
            context,
            server: DeviceHandle::new(CudaDevice::new(found.ordinal).to_id()),
            uploads: stream()?,
            downloads: stream()?,
        };
        Ok(slot.get_or_init(|| gpu))
    }

    /// The GPU with this ordinal, which must be open.
    ///
    /// # Panics
    /// If it is not open: burn's tensors on a GPU exist only after [`find`](super::find).
    pub(crate) fn opened(ordinal: usize) -> &'static Self {
        GPUS.get(ordinal)
            .and_then(OnceLock::get)
            .expect("tensors are on a GPU only after it was opened")
    }

    /// Its ordinal, under CUDA_VISIBLE_DEVICES.
    pub(crate) fn ordinal(&self) -> usize {
        self.ordinal
    }

    /// Its name as the driver gives it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its UUID as `nvidia-smi -L` writes it.
    pub(crate) fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Its compute capability, major and minor.
    pub(crate) fn capability(&self) -> (u32, u32) {
        self.capability
    }

    /// Its multiprocessors.
    pub(crate) fn n_multiprocessors(&self) -> usize {
        self.n_multiprocessors
    }

    /// Its name, for people.
    pub(crate) fn label(&self) -> String {
        format!("{} (cuda:{})", self.name, self.ordinal)
    }

    /// Makes its context the one of this thread, which most calls of the driver need.
    ///
    /// # Errors
    /// If the context is lost, as after an illegal access.
    pub(crate) fn bind(&self) -> Result<(), DeviceError> {
        // SAFETY: the context lives as long as the process.
        unsafe { ctx::set_current(self.context) }.doing("enter the context")
    }

    /// Bytes of its memory that nobody uses.
    ///
    /// # Errors
    /// If the context is lost.
    pub(crate) fn free_bytes(&self) -> Result<usize, DeviceError> {
        self.bind()?;
        let (free, _) = result::mem_get_info().doing("read its memory")?;
        Ok(free)
    }

    /// Waits until the GPU has done everything that it was given.
    ///
    /// # Errors
    /// If the context is lost.
    pub(crate) fn finish(&self) -> Result<(), DeviceError> {
        // The device thread has passed on all that was submitted when it answers.
        let answered = self.server.submit_blocking(|_: &mut Server| ());
        if answered.is_err() {
            tracing::warn!("the device thread does not answer");
        }
        self.bind()?;
        ctx::synchronize().doing("finish its work")
    }

    /// Makes the device thread begin with everything enqueued so far. It keeps up to 31 tasks back
    /// otherwise.
    pub(crate) fn flush(&self) {
        self.server.flush_queue();
    }
}
