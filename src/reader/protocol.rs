//! What this process and a reader say to each other.

use super::gpu::GpuView;
use crate::{
    fasta::{Fault, Outcome, Remark, Unit},
    job::RecordPolicy,
};
use serde::{Deserialize, Serialize};

/// Changes whenever a message does. Both sides come from one program, unless it is replaced while
/// it runs.
pub(super) const VERSION: u32 = 4;

/// What this process asks of a reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Request {
    /// Read a work unit.
    Read {
        /// The unit's number in this read, from 0. All answers repeat it.
        number: u64,
        unit: Unit,
        policy: RecordPolicy,
    },
}

/// What a reader answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The first message: who the reader is and what it sees.
    Hello {
        version: u32,
        pid: u32,
        gpu: GpuView,
    },
    /// The reader sees a GPU that it did not see when it said hello. It ends.
    SeesGpu(GpuView),
    /// Records of the file that come before those of the unit, and had to be read because the file can be
    /// entered at its beginning only. It is told again as there are more.
    Skipped { number: u64, n_records: u64 },
    /// Some outcomes of a unit, in order.
    Records {
        number: u64,
        /// Index of the first of them in the unit, from 0, or from the number of those that were skipped.
        first_index: u64,
        /// Bytes of the file that have been read for the unit so far.
        disk_bytes: u64,
        outcomes: Vec<Outcome>,
        /// What is odd about them.
        remarks: Vec<Remark>,
    },
    /// The unit was read to its end.
    End { number: u64, n_records: u64 },
    /// The unit cannot be read any further, and no reader could.
    Fault { number: u64, fault: Fault },
}
