//! What the stages of a run left.

use super::{
    lane::EndedLane,
    pack::PackTotals,
    stage::{Halt, kept},
    write::Written,
};
use crate::{device::GpuTiming, error::Error, meter::Flow};

/// What the stages of a run left that went well.
pub(super) struct Left {
    pub(super) packed: PackTotals,
    pub(super) lanes: LanesLeft,
}

/// What all lanes together left.
#[derive(Default)]
pub(super) struct LanesLeft {
    /// What GPUs measured.
    pub(super) gpu: Option<GpuTiming>,
    /// Sequences through the queues of batches in flight.
    pub(super) in_flight: Flow,
    /// Sequences of batches that encoding threads handed back.
    pub(super) refused: u64,
    /// Sequences of batches that collecting threads handed back.
    pub(super) lost: u64,
    /// Sequences of batches that another lane had before.
    pub(super) taken_again: u64,
}

/// What all stages left, or the failure that made the others end; and what the writing stage left in any
/// case.
pub(super) fn all_left(
    watched: Result<(), Halt>,
    packed: Result<PackTotals, Halt>,
    lanes: Vec<EndedLane>,
    written: Result<Written<'_>, Halt>,
) -> (Result<Left, Error>, Option<Written<'_>>) {
    let mut failure = None;
    let watched = kept(watched, &mut failure);
    let packed = kept(packed, &mut failure);
    let mut left = LanesLeft::default();
    let mut lanes_ended = Some(());
    for lane in lanes {
        // What a GPU fails with comes back to the collecting thread; the other one often stumbles over it.
        let collected = kept(lane.collected, &mut failure);
        let encoded = kept(lane.encoded, &mut failure);
        left.in_flight += lane.in_flight;
        let Some((collected, encoded)) = collected.zip(encoded) else {
            lanes_ended = None;
            continue;
        };
        left.refused += encoded.handed_back;
        left.taken_again += encoded.taken_again;
        left.lost += collected.handed_back;
        if let Some(timing) = collected.gpu {
            *left.gpu.get_or_insert_default() += timing;
        }
    }
    let written = kept(written, &mut failure);
    let left = match (failure, watched, packed, lanes_ended) {
        (Some(error), ..) => Err(error),
        (None, Some(()), Some(packed), Some(())) => Ok(Left {
            packed,
            lanes: left,
        }),
        _ => Err(ended_early()),
    };
    (left, written)
}

/// No stage says why it ended before its input did.
pub(super) fn ended_early() -> Error {
    Error::Conservation("a stage ended early and none says why".into())
}
