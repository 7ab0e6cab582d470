//! The GPU of a lane, as it is measured through a run.

use super::gpu::GpuSource;
use crate::meter::{Measured, Metric};
use std::time::Instant;

/// The GPU of a lane.
pub(super) struct LaneGpu {
    /// Where its figures come from, if there are any.
    source: Option<Box<dyn GpuSource>>,
    /// What it had taken by its own counter when it was opened, if it has one.
    joules_before: Option<f64>,
    /// When it was measured last, or opened.
    measured_at: Instant,
    /// What it took since it was opened, as far as is known. Nothing before it is measured: where it was
    /// opened too late to be, that would be what a small part of the run took.
    joules: Option<f64>,
}

impl LaneGpu {
    /// The GPU that `source` tells of, from now on.
    pub(super) fn new(source: Option<Box<dyn GpuSource>>) -> Self {
        Self {
            joules_before: source.as_ref().and_then(|gpu| gpu.energy_joules()),
            source,
            measured_at: Instant::now(),
            joules: None,
        }
    }

    /// Its figures of this moment, as far as they can be had. A GPU that is lost has none any more, and keeps
    /// the energy that it took.
    pub(super) fn measure(&mut self) -> Measured {
        let Some(source) = &mut self.source else {
            return Measured::default();
        };
        let mut measured = source.measure();
        let now = Instant::now();
        let seconds = now.duration_since(self.measured_at).as_secs_f64();
        self.measured_at = now;
        if self.joules_before.is_none()
            && let Some(watts) = measured.get(Metric::GpuPowerWatts)
        {
            *self.joules.get_or_insert(0.0) += watts * seconds;
        } else if let Some(joules) = self.counted() {
            self.joules = Some(joules);
        }
        measured.set(Metric::GpuEnergyJoules, self.joules);
        measured
    }

    /// Joules that it took since it was opened.
    pub(super) fn energy_joules(&self) -> Option<f64> {
        let measured = self.joules?;
        // The counter knows what came behind the last measurement.
        Some(self.counted().unwrap_or(measured))
    }

    /// What it took since it was opened, by its own counter.
    fn counted(&self) -> Option<f64> {
        Some(self.source.as_ref()?.energy_joules()? - self.joules_before?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        thread::sleep,
        time::Duration,
    };

    /// A GPU that takes 100 W, and whose counter, if it has one, stands at what the test says; 0 is a GPU that
    /// is lost.
    struct FakeGpu(Option<Arc<AtomicU64>>);

    impl GpuSource for FakeGpu {
        fn measure(&mut self) -> Measured {
            let mut measured = Measured::default();
            measured.set(Metric::GpuPowerWatts, 100.0);
            measured
        }

        fn energy_joules(&self) -> Option<f64> {
            let counter = self.0.as_ref()?.load(Ordering::Relaxed);
            (counter > 0).then_some(counter as f64)
        }
    }

    #[test]
    fn a_gpu_that_is_lost_keeps_what_it_took() {
        let counter = Arc::new(AtomicU64::new(1000));
        let mut gpu = LaneGpu::new(Some(Box::new(FakeGpu(Some(counter.clone())))));
        assert_eq!(gpu.energy_joules(), None, "it was not measured");
        counter.store(1007, Ordering::Relaxed);
        assert_eq!(gpu.measure().get(Metric::GpuEnergyJoules), Some(7.0));
        counter.store(1009, Ordering::Relaxed);
        assert_eq!(gpu.energy_joules(), Some(9.0), "behind the last look");
        counter.store(0, Ordering::Relaxed);
        assert_eq!(gpu.measure().get(Metric::GpuEnergyJoules), Some(7.0));
        assert_eq!(gpu.energy_joules(), Some(7.0));
    }

    #[test]
    fn power_adds_up_to_energy_where_nothing_counts_it() {
        let start = Instant::now();
        let mut gpu = LaneGpu::new(Some(Box::new(FakeGpu(None))));
        sleep(Duration::from_millis(20));
        gpu.measure();
        sleep(Duration::from_millis(20));
        gpu.measure();
        let joules = gpu.energy_joules().unwrap();
        let most = 100.0 * start.elapsed().as_secs_f64();
        assert!((4.0..=most).contains(&joules), "{joules} J of {most} J");
        let nothing = LaneGpu::new(None).measure();
        assert_eq!(nothing, Measured::default());
    }
}
