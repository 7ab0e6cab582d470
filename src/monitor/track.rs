//! The lines of the picture that a trace gives.

use crate::meter::Stage;

/// A line of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Track {
    /// A reader, by number.
    Reader(usize),
    /// A stage that is one thread.
    Stage(Stage),
    /// A stage that each lane has, by the number of the lane.
    LaneStage(usize, Stage),
    /// What the device of a lane computes.
    Device(usize),
}

impl Track {
    /// The track of a stage. Readers and lanes have numbers.
    pub(super) fn of(stage: Stage, number: usize) -> Self {
        match stage {
            Stage::Reading => Self::Reader(number),
            Stage::Encoding | Stage::Collecting => Self::LaneStage(number, stage),
            Stage::Packing | Stage::Writing => Self::Stage(stage),
        }
    }

    /// Its number, by which tracks are sorted: as batches flow, one lane after the other, then the devices.
    pub(super) fn id(self) -> usize {
        const LANES: usize = 2_000;
        const LAST: usize = 1_000_000;
        match self {
            Self::Reader(reader) => 1 + reader,
            Self::Stage(Stage::Writing) => LAST,
            Self::Stage(stage) => 1_000 + stage as usize,
            Self::LaneStage(lane, stage) => LANES + 10 * lane + stage as usize,
            Self::Device(lane) => LAST + 1 + lane,
        }
    }

    /// Its name. Those of an only lane need no number.
    pub(super) fn name(self, n_lanes: usize) -> String {
        let numbered = |name: &str, lane: usize| match n_lanes {
            1 => name.to_owned(),
            _ => format!("{name} {lane}"),
        };
        match self {
            Self::Reader(reader) => format!("reader {reader}"),
            Self::Stage(stage) => stage.name().to_owned(),
            Self::LaneStage(lane, stage) => numbered(stage.name(), lane),
            Self::Device(lane) => numbered("device", lane),
        }
    }
}
