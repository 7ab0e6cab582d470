//! A ring of pinned slots through which batches go to the GPU while it computes.
//!
//! A slot is pinned main memory and memory of the GPU. Whoever packs batches fills it and starts
//! the copy, on a stream of its own; the compute stream waits for the copy, on the device. The slot
//! is free again when the last task that reads it is enqueued, and the next copy into it waits, on
//! the device too, until these tasks are done.

use super::{DeviceMemory, Doing, Event, Gpu, Marks, memory::Pinned};
use crate::device::DeviceError;
use cudarc::driver::{result, sys::CUstream};
use std::sync::{Arc, Condvar, Mutex};

/// Slots for batches on their way to the GPU.
pub(crate) struct UploadRing {
    gpu: &'static Gpu,
    shared: Arc<Shared>,
    poisoned: bool,
}

/// What slots are taken from and return to.
struct Shared {
    free: Mutex<Vec<Slot>>,
    returned: Condvar,
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

/// A batch on its way to the GPU, or there. Its slot is free for another when it is dropped.
pub(crate) struct Upload {
    slot: Option<Slot>,
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
        let slots: Result<Vec<_>, DeviceError> = (0..n_slots)
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
        let mut slot = self.take();
        let marks = Marks::new(self.gpu)?;
        let stream = self.gpu.uploads;
        // The copy before has long been done: a batch was computed since.
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
            slot: Some(slot),
            shared: self.shared.clone(),
            marks: Arc::new(marks),
        })
    }

    fn take(&self) -> Slot {
        let free = self.shared.free.lock();
        let mut free = free.unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            if let Some(slot) = free.pop() {
                return slot;
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

    /// Makes `compute` wait for the copy, and notes when it goes on. Called once, before the first
    /// kernel that reads the batch.
    ///
    /// # Safety
    /// `compute` must be a live stream of the GPU whose context is current.
    pub(crate) unsafe fn begin(&self, compute: CUstream) -> Result<(), DeviceError> {
        // SAFETY: the caller answers for the stream.
        unsafe {
            self.slot().copied.hold_back(compute)?;
            self.marks.compute_start.record(compute)
        }
    }

    /// Notes that everything that reads the batch is enqueued on `compute`.
    ///
    /// # Safety
    /// As for [`begin`](Self::begin).
    pub(crate) unsafe fn end(&self, compute: CUstream) -> Result<(), DeviceError> {
        // SAFETY: the caller answers for the stream.
        unsafe {
            self.marks.compute_end.record(compute)?;
            self.slot().released.record(compute)
        }
    }

    fn slot(&self) -> &Slot {
        self.slot.as_ref().expect("it is taken out by `drop` only")
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let free = self.shared.free.lock();
            free.unwrap_or_else(|poisoned| poisoned.into_inner())
                .push(slot);
            self.shared.returned.notify_one();
        }
    }
}
