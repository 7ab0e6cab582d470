//! How the time of a device was spent on a batch.

use super::DeviceError;
use std::{ops::AddAssign, time::Instant};

/// How the time of a device was spent on one batch, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchTiming {
    /// From the batch's first operation to the end of its last. On the CPU, which computes several batches at
    /// once, without what went by before the batch before it was done.
    pub compute: f64,
    /// From the end of the batch before to the beginning of this one: the device had nothing to compute.
    pub idle: f64,
    /// When the batch was done, where this process's clock tells it: on the CPU.
    pub end: Option<Instant>,
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
    /// On the CPU, from one moment to another.
    Host(Instant, Instant),
    /// On a GPU, between events.
    #[cfg(feature = "cuda")]
    Cuda(std::sync::Arc<super::cuda::Marks>),
}

impl BatchMarks {
    /// Of a batch that the CPU computed between two moments.
    pub fn host(start: Instant, end: Instant) -> Self {
        Self(Place::Host(start, end))
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
    /// When the CPU was done with the batches before.
    previous_end: Option<Instant>,
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
            Place::Host(start, end) => {
                let previous = self.previous_end.unwrap_or(start);
                let end = end.max(previous);
                self.previous_end = Some(end);
                Ok(BatchTiming {
                    compute: (end - start.clamp(previous, end)).as_secs_f64(),
                    idle: start.saturating_duration_since(previous).as_secs_f64(),
                    end: Some(end),
                    gpu: None,
                })
            }
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
                    idle: gpu.idle,
                    end: None,
                    gpu: Some(gpu),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_time_of_a_cpu_is_told_once_whatever_it_computes_at_once() {
        let zero = Instant::now();
        let at = |seconds: f64| zero + Duration::from_secs_f64(seconds);
        let mut timeline = Timeline::default();
        // Start, end; then the seconds computed and idle, and the end.
        for (start, end, compute, idle, known) in [
            (0.0, 3.0, 3.0, 0.0, 3.0),
            (1.0, 4.0, 1.0, 0.0, 4.0),
            (2.0, 3.5, 0.0, 0.0, 4.0),
            (6.0, 7.0, 1.0, 2.0, 7.0),
        ] {
            let timing = timeline.add(BatchMarks::host(at(start), at(end))).unwrap();
            assert!(
                (timing.compute - compute).abs() < 1e-6,
                "{start} {timing:?}"
            );
            assert!((timing.idle - idle).abs() < 1e-6, "{start} {timing:?}");
            assert_eq!(timing.end, Some(at(known)));
        }
    }
}
