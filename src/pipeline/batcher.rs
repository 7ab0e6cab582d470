//! How records become batches.

use super::plan::Plan;
use crate::{
    batch::{PackError, PackedBatch, Packer, Padder},
    fasta::Record,
};

/// How records become batches.
pub(super) enum Batcher {
    Packing(Packer),
    Padding(Padder),
}

impl Batcher {
    /// Packs, or pads, up to so many tokens.
    pub(super) fn new(plan: &Plan) -> Self {
        match (plan.packing, plan.is_in_order) {
            (true, true) => Self::Packing(Packer::in_order(plan.token_budget)),
            (true, false) => Self::Packing(Packer::new(plan.token_budget)),
            (false, _) => Self::Padding(Padder::new(plan.token_budget)),
        }
    }

    /// Takes the next record, and gives the batches that it completes.
    ///
    /// # Errors
    /// If the record is longer than a batch.
    pub(super) fn push(&mut self, record: Record) -> Result<Vec<PackedBatch>, PackError> {
        match self {
            Self::Packing(packer) => packer.push(record),
            Self::Padding(padder) => padder.push(record).map(|batch| batch.into_iter().collect()),
        }
    }

    /// The batches of the records that still wait.
    pub(super) fn finish(&mut self) -> Vec<PackedBatch> {
        match self {
            Self::Packing(packer) => packer.finish(),
            Self::Padding(padder) => padder.finish().into_iter().collect(),
        }
    }

    /// The batches without which rows that are computed could not leave in input order, and how many of the
    /// records that still wait do not end in them.
    pub(super) fn due(&mut self) -> (Vec<PackedBatch>, u64) {
        match self {
            Self::Packing(packer) => {
                let n_waiting = packer.n_waiting();
                let due = packer.due();
                let n_due = due.iter().map(PackedBatch::n_records).sum::<usize>();
                (due, (n_waiting - n_due) as u64)
            }
            Self::Padding(padder) => (Vec::new(), padder.n_waiting() as u64),
        }
    }
}
