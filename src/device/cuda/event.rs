//! Points in time on the device.

use super::{Doing, Gpu};
use crate::device::DeviceError;
use cudarc::driver::{
    result::event,
    sys::{CUevent, CUevent_flags, CUstream, cuStreamWaitEvent},
};

/// A point in the work of a stream, with the time at which the device reached it.
pub(crate) struct Event(CUevent);

// SAFETY: an event is a handle that the driver lets any thread use.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// An event that was not recorded yet, which counts as reached.
    ///
    /// # Errors
    /// If the context is lost.
    pub(crate) fn new(gpu: &Gpu) -> Result<Self, DeviceError> {
        gpu.bind()?;
        // A thread that waits for it sleeps rather than spins.
        let flags = CUevent_flags::CU_EVENT_BLOCKING_SYNC;
        event::create(flags).doing("make an event").map(Self)
    }

    /// Puts the event after everything that `stream` has been given.
    ///
    /// # Safety
    /// `stream` must be a live stream of the GPU whose context is current.
    pub(crate) unsafe fn record(&self, stream: CUstream) -> Result<(), DeviceError> {
        // SAFETY: the event lives as long as `self`; the caller answers for the stream.
        unsafe { event::record(self.0, stream) }.doing("record an event")
    }

    /// Makes what `stream` is given next wait until the event is reached.
    ///
    /// # Safety
    /// As for [`record`](Self::record).
    pub(crate) unsafe fn hold_back(&self, stream: CUstream) -> Result<(), DeviceError> {
        // SAFETY: as in `record`.
        let status = unsafe { cuStreamWaitEvent(stream, self.0, 0) };
        status.result().doing("wait for an event")
    }

    /// Blocks this thread until the device has reached the event.
    ///
    /// # Errors
    /// If work before it failed.
    pub(crate) fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the event lives as long as `self`.
        unsafe { event::synchronize(self.0) }.doing("finish its work")
    }

    /// Seconds from this event to `later`, both of which the device has reached. Negative if
    /// `later` came first.
    ///
    /// # Errors
    /// If one of them was not reached.
    pub(crate) fn seconds_to(&self, later: &Self) -> Result<f64, DeviceError> {
        // SAFETY: both events live as long as their owners.
        let milliseconds = unsafe { event::elapsed(self.0, later.0) }.doing("read its clock")?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: created in `new` and destroyed once. The driver keeps what work still needs. A
        // failure means that the context is lost, and the event with it.
        let _ = unsafe { event::destroy(self.0) };
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
    pub(super) fn new(gpu: &Gpu) -> Result<Self, DeviceError> {
        Ok(Self {
            upload_start: Event::new(gpu)?,
            upload_end: Event::new(gpu)?,
            compute_start: Event::new(gpu)?,
            compute_end: Event::new(gpu)?,
        })
    }
}
