//! A ring of pinned slots through which batches go to the GPU while it computes.
//!
//! A slot is pinned main memory and memory of the GPU. The encoding thread of a lane fills it and starts
//! the copy, on a stream of its own; the compute stream waits for the copy, on the device. The slot
//! is free again when the last task that reads it is enqueued, and the next copy into it waits, on
//! the device too, until these tasks are done. Slots are taken in the order in which they became
//! free, so that this wait is over soonest.

use super::{DeviceMemory, Doing, Event, Gpu, Marks, memory::Pinned};
use crate::device::DeviceError;
use cudarc::driver::{result, sys::CUstream};
use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Condvar, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// Slots for batches on their way to the GPU.
pub(crate) struct UploadRing {
    gpu: &'static Gpu,
    shared: Arc<Shared>,
    poisoned: bool,
}

/// What slots are taken from and return to.
struct Shared {
    free: Mutex<VecDeque<Slot>>,
    returned: Condvar,
    /// A slot did not return, as the context is lost.
    is_lost: AtomicBool,
}

/// Room for one batch.
struct Slot {
    pinned: Pinned,
    memory: DeviceMemory,
    /// The copy into `memory` is done.
    copied: Event,
    /// Nothing on the compute stream reads `memory` any more.
    released: Event,
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Memory must not go while a copy or a kernel uses it. Where waiting fails, the context is
        // lost and nothing runs.
        let _ = self.copied.wait();
        let _ = self.released.wait();
    }
}

/// A stream, for other threads.
struct Stream(CUstream);

// SAFETY: a stream is a handle that the driver lets any thread use.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

/// A batch on its way to the GPU, or there. Its slot is free for another when it is dropped.
pub(crate) struct Upload {
    gpu: &'static Gpu,
    slot: Option<Slot>,
    /// Where the batch is computed, once that has begun.
    compute: OnceLock<Stream>,
    shared: Arc<Shared>,
    marks: Arc<Marks>,
}

/// What a slot holds before and after a batch in the test mode: it is no token, no offset and no
/// tile, so that a batch that reads a slot too early or too late fails or gives other embeddings.
const POISON: u8 = 0x20;

impl UploadRing {
    /// `n_slots` slots of `n_bytes`. With `poisoned`, slots are overwritten as soon as they may be.
    ///
    /// # Errors
    /// If there is not so much memory, or main memory cannot be pinned.
    pub(crate) fn new(
        gpu: &'static Gpu,
        n_slots: usize,
        n_bytes: usize,
        poisoned: bool,
    ) -> Result<Self, DeviceError> {
        let slots: Result<VecDeque<_>, DeviceError> = (0..n_slots)
            .map(|_| {
                Ok(Slot {
                    pinned: Pinned::new(gpu, n_bytes)?,
                    memory: DeviceMemory::new(gpu, n_bytes)?,
                    copied: Event::new(gpu)?,
                    released: Event::new(gpu)?,
                })
            })
            .collect();
        let shared = Shared {
            free: Mutex::new(slots?),
            returned: Condvar::new(),
            is_lost: AtomicBool::new(false),
        };
        Ok(Self {
            gpu,
            shared: Arc::new(shared),
            poisoned,
        })
    }

    /// Takes a slot, waiting for one if none is free, has `fill` write the batch into it, and
    /// starts the copy to the GPU. `fill` returns the number of bytes that it wrote.
    ///
    /// # Errors
    /// If the copy cannot be started.
    pub(crate) fn upload(
        &self,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<Upload, DeviceError> {
        let mut slot = self.take()?;
        let marks = Marks::new(self.gpu)?;
        let stream = self.gpu.uploads;
        // Nearly always done long ago: another batch was computed since.
        slot.copied.wait()?;
        if self.poisoned {
            slot.pinned.bytes_mut().fill(POISON);
        }
        let n_bytes = fill(slot.pinned.bytes_mut());
        let (address, room) = (slot.memory.address(), slot.memory.n_bytes());
        // SAFETY: stream, events and memory are alive and of this GPU, whose context `Marks::new`
        // made current; the slot keeps both ends of the copy until `copied` is reached.
        unsafe {
            slot.released.hold_back(stream)?;
            if self.poisoned {
                result::memset_d8_async(address, POISON, room, stream).doing("poison a slot")?;
            }
            marks.upload_start.record(stream)?;
            result::memcpy_htod_async(address, &slot.pinned.bytes()[..n_bytes], stream)
                .doing("copy a batch")?;
            marks.upload_end.record(stream)?;
            slot.copied.record(stream)?;
        }
        Ok(Upload {
            gpu: self.gpu,
            compute: OnceLock::new(),
            slot: Some(slot),
            shared: self.shared.clone(),
            marks: Arc::new(marks),
        })
    }

    /// A slot, as soon as one is free.
    fn take(&self) -> Result<Slot, DeviceError> {
        let free = self.shared.free.lock();
        let mut free = free.unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            if let Some(slot) = free.pop_front() {
                return Ok(slot);
            }
            if self.shared.is_lost.load(Ordering::Acquire) {
                // The driver says what happened; without a word of it no slot would come all the same.
                self.gpu.finish()?;
                return Err(DeviceError::Cuda {
                    doing: "copy a batch",
                    reason: "its context is lost".to_owned(),
                });
            }
            let woken = self.shared.returned.wait(free);
            free = woken.unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}

impl Upload {
    /// Where the batch begins in the memory of the GPU.
    pub(crate) fn address(&self) -> u64 {
        self.slot().memory.address()
    }

    /// When the batch was copied and computed.
    pub(crate) fn marks(&self) -> Arc<Marks> {
        self.marks.clone()
    }

    /// Makes `compute` wait for the copy, and notes when it goes on. Called before every kernel that
    /// reads the batch; the first call counts.
    ///
    /// # Safety
    /// `compute` must be a live stream of the GPU whose context is current, and the same in all
    /// calls.
    pub(crate) unsafe fn begin(&self, compute: CUstream) -> Result<(), DeviceError> {
        if self.compute.set(Stream(compute)).is_err() {
            return Ok(());
        }
        // SAFETY: the caller answers for the stream.
        unsafe {
            self.slot().copied.hold_back(compute)?;
            self.marks.compute_start.record(compute)
        }
    }

    /// Notes when everything that was enqueued on `compute` is done.
    ///
    /// # Safety
    /// As for [`begin`](Self::begin).
    pub(crate) unsafe fn end(&self, compute: CUstream) -> Result<(), DeviceError> {
        // SAFETY: the caller answers for the stream.
        unsafe { self.marks.compute_end.record(compute) }
    }

    /// Notes on the compute stream that nothing enqueued later reads `slot`. Returns whether the
    /// slot may be used again.
    fn release(&self, slot: &Slot) -> bool {
        let Some(compute) = self.compute.get() else {
            return true;
        };
        // SAFETY: streams of CubeCL live as long as the process, and the context is made current.
        self.gpu.bind().is_ok() && unsafe { slot.released.record(compute.0) }.is_ok()
    }

    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("it is taken out by `drop` only")
    }
}

impl Drop for Upload {
    // The last owner is the last task that reads the batch, or a later one, also where a batch fails
    // half-way.
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        if !self.release(&slot) {
            // The context is lost, and with it all that could be freed.
            mem::forget(slot);
            let free = self.shared.free.lock();
            let _free = free.unwrap_or_else(|poisoned| poisoned.into_inner());
            // Whoever waits for a slot must not wait for ever.
            self.shared.is_lost.store(true, Ordering::Release);
            self.shared.returned.notify_all();
            return;
        }
        let free = self.shared.free.lock();
        free.unwrap_or_else(|poisoned| poisoned.into_inner())
            .push_back(slot);
        self.shared.returned.notify_one();
    }
}
