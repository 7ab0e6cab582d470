//! All meters of a run at a moment.

use super::{Begun, Counts, LaneReading, Stage, StageTime};

/// All meters of a run at a moment.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Seconds since the run began.
    pub seconds: f64,
    /// What went through, in all lanes together.
    pub counts: Counts,
    /// What is done of the batches that the devices are computing.
    pub begun: Begun,
    /// Where the time of each stage went, in flow order. Readers are added up, and so are lanes.
    pub stages: [StageTime; 5],
    /// What waits.
    pub depths: QueueDepths,
    /// The meters of each lane.
    pub lanes: Vec<LaneReading>,
}

/// What waits between stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepths {
    /// Packed batches.
    pub batches: u64,
    /// Batches that were given to the model and have not come back.
    pub in_flight: u64,
    /// Batches of rows.
    pub rows: u64,
}

impl Reading {
    /// Where the time of a stage went.
    pub fn stage(&self, stage: Stage) -> StageTime {
        self.stages[stage as usize]
    }

    /// What happened between `earlier` and this reading. Depths are those of this one.
    pub fn since(&self, earlier: &Self) -> Self {
        let lanes = self.lanes.iter().zip(&earlier.lanes);
        Self {
            seconds: self.seconds - earlier.seconds,
            counts: self.counts - earlier.counts,
            begun: self.begun - earlier.begun,
            stages: std::array::from_fn(|n| self.stages[n] - earlier.stages[n]),
            depths: self.depths,
            lanes: lanes.map(|(now, then)| now.since(then)).collect(),
        }
    }
}
