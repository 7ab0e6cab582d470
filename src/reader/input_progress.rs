//! How far the input has come that is being read.

use crate::fasta::{Outcome, Position, Remark, Remarks};

/// The input that is being read.
#[derive(Default)]
pub(super) struct InputProgress {
    /// Its index, from 0.
    pub(super) number: usize,
    /// Records of the finished units, and those that come before the first unit of the read.
    pub(super) n_records: u64,
    /// Records of all these that do not come out, as they come before the start of the read.
    pub(super) n_skipped: u64,
    /// Records that are still to come before that start.
    pub(super) n_unwanted: u64,
    /// What is odd about those that came out.
    pub(super) remarks: Remarks,
    /// Records of the current unit that have come out or were dropped.
    pub(super) n_unit_records: u64,
    /// The id of the last one of them.
    pub(super) last_id: Option<String>,
}

impl InputProgress {
    /// The input of `start`, whose records before that do not come out.
    pub(super) fn starting_at(start: &Position) -> Self {
        Self {
            number: start.input,
            n_records: start.before,
            n_skipped: start.before,
            n_unwanted: start.n_records,
            ..Self::default()
        }
    }

    /// Records that have come out, of which remarks tell.
    pub(super) fn n_told_of(&self) -> u64 {
        self.n_records + self.n_unit_records - self.n_skipped
    }

    /// The reader has come to record `n_records` of the file, and gives none of those before.
    pub(super) fn skip_to(&mut self, n_records: u64) {
        let n_passed = n_records.saturating_sub(self.n_unit_records);
        self.n_unit_records += n_passed;
        self.n_skipped += n_passed;
        self.n_unwanted = self.n_unwanted.saturating_sub(n_passed);
    }

    /// Takes away records that come before the start, whose remarks are dropped with them.
    pub(super) fn drop_unwanted(&mut self, outcomes: &mut Vec<Outcome>) {
        let n_unwanted = usize::try_from(self.n_unwanted).unwrap_or(usize::MAX);
        let n_dropped = n_unwanted.min(outcomes.len());
        if let Some(last) = outcomes.drain(..n_dropped).next_back() {
            self.last_id = Some(last.id().to_owned());
        }
        self.n_unwanted -= n_dropped as u64;
        self.n_unit_records += n_dropped as u64;
        self.n_skipped += n_dropped as u64;
    }

    /// Counts records that came out, of the current unit, and what is odd about them.
    pub(super) fn add(&mut self, outcomes: &[Outcome], remarks: &[Remark]) {
        for remark in remarks {
            let index = remark.index.checked_sub(self.n_unit_records);
            let outcome = index.and_then(|index| outcomes.get(usize::try_from(index).ok()?));
            if let Some(outcome) = outcome {
                let ordinal = self.n_records + remark.index + 1;
                self.remarks.add(remark, ordinal, outcome.id());
            }
        }
        self.n_unit_records += outcomes.len() as u64;
        if let Some(last) = outcomes.last() {
            self.last_id = Some(last.id().to_owned());
        }
    }
}
