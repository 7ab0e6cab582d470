//! The GPU of a lane, as it is measured through a run.

use super::gpu::GpuSource;
use crate::meter::GpuSample;

/// The GPU of a lane.
pub(super) struct LaneGpu {
    /// Where its figures come from, if there are any.
    source: Option<Box<dyn GpuSource>>,
    /// What it had taken when it was opened.
    joules_before: Option<f64>,
    /// Whether it was measured since.
    is_measured: bool,
}

impl LaneGpu {
    /// The GPU that `source` tells of, from now on.
    pub(super) fn new(source: Option<Box<dyn GpuSource>>) -> Self {
        Self {
            joules_before: source.as_ref().and_then(|gpu| gpu.energy_joules()),
            source,
            is_measured: false,
        }
    }

    /// Its figures of this moment, as far as they can be had.
    pub(super) fn measure(&mut self) -> GpuSample {
        self.is_measured = true;
        let source = self.source.as_mut();
        source.map_or_else(GpuSample::default, |gpu| gpu.measure())
    }

    /// Joules that it took since it was opened. Nothing where it was opened too late to be measured: that
    /// would be what a small part of the run took.
    pub(super) fn energy_joules(&self) -> Option<f64> {
        let source = self.source.as_ref().filter(|_| self.is_measured)?;
        Some(source.energy_joules()? - self.joules_before?)
    }
}
