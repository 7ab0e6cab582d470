//! Results on their way from the GPU, through pinned memory, on a stream of their own.

use super::{Doing, Event, Gpu, Marks, Upload, conclude, memory::Pinned};
use crate::device::DeviceError;
use cubecl::server::{BufferBinding, Handle};
use cudarc::driver::{result, sys::CUstream};
use std::sync::{
    Arc, Mutex,
    mpsc::{Receiver, sync_channel},
};

/// The results of a batch on their way from the GPU.
pub(crate) struct Download {
    gpu: &'static Gpu,
    /// Tells that the copies are enqueued, or why not.
    enqueued: Option<Receiver<Result<(), DeviceError>>>,
    /// The copies are done.
    landed: Arc<Event>,
    buffer: Option<Arc<Mutex<Pinned>>>,
    /// Bytes of each result, one after the other in `buffer`.
    sizes: Vec<usize>,
    marks: Arc<Marks>,
    /// The results' memory on the GPU must not be used again before the copies are done.
    _sources: Vec<BufferBinding>,
}

/// Pinned memory of earlier downloads, of all GPUs: pinning is slow.
static SPARE: Mutex<Vec<Pinned>> = Mutex::new(Vec::new());

impl Download {
    /// Ends a batch: starts copying `sources`, each with its size in bytes, to main memory once
    /// they are computed.
    ///
    /// # Errors
    /// If main memory cannot be pinned.
    pub(crate) fn start(
        gpu: &'static Gpu,
        sources: Vec<(Handle, usize)>,
        upload: Arc<Upload>,
    ) -> Result<Self, DeviceError> {
        let (sources, sizes): (Vec<Handle>, Vec<usize>) = sources.into_iter().unzip();
        let buffer = Arc::new(Mutex::new(take_spare(gpu, sizes.iter().sum())?));
        let landed = Arc::new(Event::new(gpu)?);
        let (report, enqueued) = sync_channel(1);
        let marks = upload.marks();

        let copies = Copies {
            buffer: buffer.clone(),
            sizes: sizes.clone(),
            landed: landed.clone(),
            gpu,
            upload,
        };
        conclude(gpu, &sources.iter().collect::<Vec<_>>(), move |computed| {
            let result =
                computed.and_then(|(compute, addresses)| copies.enqueue(compute, addresses));
            // The slot returns to its ring before anyone learns that the batch is on its way.
            drop(copies);
            // Without a receiver nobody waits for the result.
            let _ = report.send(result);
        });
        gpu.flush();
        Ok(Self {
            gpu,
            enqueued: Some(enqueued),
            landed,
            buffer: Some(buffer),
            sizes,
            marks,
            _sources: sources.into_iter().map(Handle::binding).collect(),
        })
    }

    /// Waits for the results: what `copy` makes of the number and the bytes of each source. These are in pinned
    /// memory, which serves another batch afterwards.
    ///
    /// # Errors
    /// If computing or copying them failed.
    pub(crate) fn wait<T>(
        mut self,
        copy: impl Fn(usize, &[u8]) -> T,
    ) -> Result<(Vec<T>, Arc<Marks>), DeviceError> {
        if let Err(error) = self.settle() {
            // One of several copies may run.
            std::mem::forget(self.buffer.take());
            return Err(error);
        }
        let buffer = self
            .buffer
            .take()
            .expect("it is taken out here or by `drop`");
        let results = {
            let pinned = buffer
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let mut rest = pinned.bytes();
            let split = |(number, &size): (usize, &usize)| {
                let (result, after) = rest.split_at(size);
                rest = after;
                copy(number, result)
            };
            self.sizes.iter().enumerate().map(split).collect()
        };
        give_back(self.gpu, buffer);
        Ok((results, self.marks.clone()))
    }

    /// Waits until nothing writes to the buffer any more.
    fn settle(&mut self) -> Result<(), DeviceError> {
        let Some(enqueued) = self.enqueued.take() else {
            return Ok(());
        };
        enqueued.recv().unwrap_or_else(|_| {
            Err(DeviceError::Cuda {
                doing: "compute a batch",
                reason: "the device thread failed; its message is in the log".to_owned(),
            })
        })?;
        self.gpu.bind()?;
        self.landed.wait()
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        // A copy that still runs must not find its target freed.
        let settled = self.settle();
        if let Some(buffer) = self.buffer.take() {
            match settled {
                Ok(()) => give_back(self.gpu, buffer),
                // One of several copies may run.
                Err(_) => std::mem::forget(buffer),
            }
        }
    }
}

/// The copies at the end of a batch.
struct Copies {
    buffer: Arc<Mutex<Pinned>>,
    sizes: Vec<usize>,
    landed: Arc<Event>,
    gpu: &'static Gpu,
    upload: Arc<Upload>,
}

impl Copies {
    /// Enqueues everything. It runs on the device thread, where the context is current.
    fn enqueue(&self, compute: CUstream, addresses: &[u64]) -> Result<(), DeviceError> {
        let downloads = self.gpu.downloads;
        let mut pinned = self
            .buffer
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut rest = pinned.bytes_mut();
        // SAFETY: both streams are alive; the download keeps `buffer` and the sources until
        // `landed` is reached.
        unsafe {
            self.upload.end(compute)?;
            self.upload.marks().compute_end.hold_back(downloads)?;
            for (&size, &address) in self.sizes.iter().zip(addresses) {
                let (target, after) = rest.split_at_mut(size);
                rest = after;
                if target.is_empty() {
                    continue;
                }
                result::memcpy_dtoh_async(target, address, downloads).doing("copy results")?;
            }
            self.landed.record(downloads)
        }
    }
}

/// Pinned memory of at least `n_bytes` for `gpu`.
fn take_spare(gpu: &'static Gpu, n_bytes: usize) -> Result<Pinned, DeviceError> {
    let spare = {
        let mut spares = SPARE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let fitting = spares.iter().enumerate();
        let fitting = fitting.filter(|(_, spare)| spare.is_of(gpu) && spare.n_bytes() >= n_bytes);
        let smallest = fitting.min_by_key(|(_, spare)| spare.n_bytes());
        smallest.map(|(n, _)| n).map(|n| spares.swap_remove(n))
    };
    spare.map_or_else(|| Pinned::new(gpu, rounded(n_bytes)), Ok)
}

/// Rounded up to an eighth of the next power of two, so that the next, slightly larger batch finds it large enough:
/// pinned memory is not for anything else.
fn rounded(n_bytes: usize) -> usize {
    const LEAST: usize = 64 << 10;
    n_bytes.next_multiple_of((n_bytes.next_power_of_two() / 8).max(LEAST))
}

/// Keeps pinned memory for the next download from `gpu`.
fn give_back(gpu: &'static Gpu, buffer: Arc<Mutex<Pinned>>) {
    /// More than a lane has in flight.
    const MOST_SPARE: usize = 16;
    // The device thread has dropped its share when it reported.
    if let Some(pinned) = Arc::into_inner(buffer) {
        let pinned = pinned
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut spares = SPARE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        spares.push(pinned);
        let of_gpu = spares.iter().enumerate();
        let of_gpu = of_gpu.filter(|(_, spare)| spare.is_of(gpu));
        let n_spares = of_gpu.clone().count();
        let smallest = of_gpu.min_by_key(|(_, spare)| spare.n_bytes());
        // The larger ones serve smaller batches too.
        let surplus = smallest.filter(|_| n_spares > MOST_SPARE).map(|(n, _)| n);
        let surplus = surplus.map(|n| spares.swap_remove(n));
        drop(spares);
        // Freeing may wait for the GPU.
        drop(surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_pinned_that_no_batch_fills() {
        assert_eq!(rounded(0), 0);
        assert_eq!(rounded(1), 64 << 10);
        // A batch of 32,768 tokens in f16, full and nearly full.
        assert_eq!(rounded(32_768 * 2560), 80 << 20);
        assert_eq!(rounded(32_000 * 2560), 80 << 20);
        for n_bytes in (1..400_000_000).step_by(999_983) {
            assert!((n_bytes..=n_bytes + n_bytes / 4 + (64 << 10)).contains(&rounded(n_bytes)));
        }
    }
}
