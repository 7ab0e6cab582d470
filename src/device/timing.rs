//! How the time of a device was spent on a batch.

use super::DeviceError;
use std::ops::AddAssign;

/// How the time of a device was spent on one batch, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchTiming {
    /// From the batch's first operation to the end of its last.
    pub compute: f64,
    /// What only a GPU's own clock can tell.
    pub gpu: Option<GpuTiming>,
}

/// How a GPU spent the time around a batch, in seconds by its own clock. All are zero for the first
/// batch of a run, which has nothing to hide behind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GpuTiming {
    /// From the end of the batch before to this batch's first kernel: the GPU had nothing to
    /// compute. Gaps between the kernels of a batch are not seen.
    pub idle: f64,
    /// The copy of the batch to the GPU.
    pub upload: f64,
    /// The part of that copy for which the GPU had to wait.
    pub exposed_upload: f64,
}

impl AddAssign for GpuTiming {
    fn add_assign(&mut self, other: Self) {
        self.idle += other.idle;
        self.upload += other.upload;
        self.exposed_upload += other.exposed_upload;
    }
}

/// When a batch was computed.
pub struct BatchMarks(Place);

enum Place {
    /// On the CPU, for so many seconds.
    Host(f64),
    /// On a GPU, between events.
    #[cfg(feature = "cuda")]
    Cuda(std::sync::Arc<super::cuda::Marks>),
}

impl BatchMarks {
    /// Of a batch that the CPU computed in so many seconds.
    pub fn host(seconds: f64) -> Self {
        Self(Place::Host(seconds))
    }

    /// Of a batch that a GPU computed.
    #[cfg(feature = "cuda")]
    pub(crate) fn cuda(marks: std::sync::Arc<super::cuda::Marks>) -> Self {
        Self(Place::Cuda(marks))
    }
}

/// Follows the batches of a run, in their order, and tells busy from idle.
#[derive(Default)]
pub struct Timeline {
    #[cfg(feature = "cuda")]
    previous: Option<std::sync::Arc<super::cuda::Marks>>,
}

impl Timeline {
    /// How the time of a batch was spent. The device must have finished it.
    ///
    /// # Errors
    /// If the GPU's clock cannot be read.
    pub fn add(&mut self, marks: BatchMarks) -> Result<BatchTiming, DeviceError> {
        match marks.0 {
            Place::Host(compute) => Ok(BatchTiming { compute, gpu: None }),
            #[cfg(feature = "cuda")]
            Place::Cuda(marks) => {
                let mut gpu = GpuTiming::default();
                if let Some(previous) = &self.previous {
                    let free = &previous.compute_end;
                    gpu.upload = marks.upload_start.seconds_to(&marks.upload_end)?.max(0.0);
                    gpu.idle = free.seconds_to(&marks.compute_start)?.max(0.0);
                    gpu.exposed_upload = free.seconds_to(&marks.upload_end)?.clamp(0.0, gpu.upload);
                }
                // Clocks have been seen to run backwards, and NaN is no time at all.
                let compute = marks.compute_start.seconds_to(&marks.compute_end)?.max(0.0);
                self.previous = Some(marks);
                Ok(BatchTiming {
                    compute,
                    gpu: Some(gpu),
                })
            }
        }
    }
}
