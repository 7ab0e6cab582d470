//! Points in time on the device.

use super::{Doing, Gpu};
use crate::device::DeviceError;
use cudarc::driver::{
    result::event,
    sys::{CUevent, CUevent_flags, CUstream, cuStreamWaitEvent},
};

/// A point in the work of a stream, with the time at which the device reached it.
pub(crate) struct Event {
    gpu: &'static Gpu,
    event: CUevent,
}

// SAFETY: an event is a handle that the driver lets any thread use.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// An event that was not recorded yet, which counts as reached.
    ///
    /// # Errors
    /// If the context is lost.
    pub(crate) fn new(gpu: &'static Gpu) -> Result<Self, DeviceError> {
        gpu.bind()?;
        // A thread that waits for it sleeps rather than spins.
        let flags = CUevent_flags::CU_EVENT_BLOCKING_SYNC;
        let event = event::create(flags).doing("make an event")?;
        Ok(Self { gpu, event })
    }

    /// Puts the event after everything that `stream` has been given.
    ///
    /// # Safety
    /// `stream` must be a live stream of the GPU whose context is current.
    pub(crate) unsafe fn record(&self, stream: CUstream) -> Result<(), DeviceError> {
        // SAFETY: the event lives as long as `self`; the caller answers for the stream.
        unsafe { event::record(self.event, stream) }.doing("record an event")
    }

    /// Makes what `stream` is given next wait until the event is reached.
    ///
    /// # Safety
    /// As for [`record`](Self::record).
    pub(crate) unsafe fn hold_back(&self, stream: CUstream) -> Result<(), DeviceError> {
        // SAFETY: as in `record`.
        let status = unsafe { cuStreamWaitEvent(stream, self.event, 0) };
        status.result().doing("wait for an event")
    }

    /// Blocks this thread until the device has reached the event.
    ///
    /// # Errors
    /// If work before it failed.
    pub(crate) fn wait(&self) -> Result<(), DeviceError> {
        self.gpu.bind()?;
        // SAFETY: the event lives as long as `self`, and its context is current.
        unsafe { event::synchronize(self.event) }.doing("finish its work")
    }

    /// Seconds from this event to `later`, both of which the device has reached. Negative if
    /// `later` came first.
    ///
    /// # Errors
    /// If one of them was not reached.
    pub(crate) fn seconds_to(&self, later: &Self) -> Result<f64, DeviceError> {
        self.gpu.bind()?;
        // SAFETY: both events live as long as their owners, and their context is current.
        let milliseconds = unsafe { event::elapsed(self.event, later.event) };
        Ok(f64::from(milliseconds.doing("read its clock")?) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.gpu.bind().is_ok() {
            // SAFETY: created in `new` and destroyed once, in its context. The driver keeps what
            // work still needs. A failure means that the context is lost, and the event with it.
            let _ = unsafe { event::destroy(self.event) };
        }
    }
}

/// When the device copied and computed a batch.
pub(crate) struct Marks {
    /// Before the copy to the device.
    pub(crate) upload_start: Event,
    /// After it.
    pub(crate) upload_end: Event,
    /// Before the first kernel, after the wait for the copy.
    pub(crate) compute_start: Event,
    /// After the last kernel.
    pub(crate) compute_end: Event,
}

impl Marks {
    /// Marks of a batch to come.
    pub(super) fn new(gpu: &'static Gpu) -> Result<Self, DeviceError> {
        Ok(Self {
            upload_start: Event::new(gpu)?,
            upload_end: Event::new(gpu)?,
            compute_start: Event::new(gpu)?,
            compute_end: Event::new(gpu)?,
        })
    }
}
