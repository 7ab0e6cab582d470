//! Best-fit decreasing in windows of consecutive records, with carry-over.
//!
//! The packer collects records until a window holds several budgets of tokens. It then places
//! them, the longest first, each into the fullest bin that still has room. The emptiest bin is not
//! worth a batch: its records wait for the next window. So every batch is nearly full, and yet a
//! record never waits for more than [`MAX_CARRIES`] windows: what has waited that long is placed
//! before anything else and its bin is closed.
//!
//! Where full batches gain nothing, a packer [in order](Packer::in_order) does without windows: a batch
//! ends with the record before the one that does not fit. A few percent of it stay empty, and all rows can
//! leave as they are computed, so that none is lost when a run is stopped.

use super::{PackError, PackedBatch};
use crate::{alphabet::N_SPECIAL_TOKENS, fasta::Record};
use std::{collections::BTreeSet, mem, num::NonZeroUsize};

/// Windows that a record can miss; it leaves with the next one. On UniProt a second miss would fill
/// batches of 4,096 tokens by 0.05% more, larger ones by nothing, and double the reordering.
pub const MAX_CARRIES: u8 = 1;

/// How far batches may depart from input order: before a record comes out, the packer has taken
/// in at most this many budgets' worth of the tokens of later records, and
/// [`MAX_REORDER_WINDOWS`] windows of their texts.
///
/// A window ends with the record that fills it, which costs at most a budget of its own.
pub const MAX_REORDER_BUDGETS: usize = (MAX_CARRIES as usize + 1) * (WINDOW_BUDGETS + 1);

/// Windows that come out before a record does, its own included: what waits to be put into order again
/// is no more than that, with at most [`WINDOW_TEXT_BYTES`] of text and one record more in each.
pub const MAX_REORDER_WINDOWS: usize = MAX_CARRIES as usize + 1;

/// A window also ends with so many bytes of ids and descriptions, with the record that reaches them: some
/// definition lines are longer than any sequence. It is many times what those of a window of proteins
/// have, so it bounds memory and changes no batch of theirs. No batch holds more text than a window.
pub const WINDOW_TEXT_BYTES: usize = 8 << 20;

/// Budgets in a full window. More would fill the batches better and start the first one later.
const WINDOW_BUDGETS: usize = 8;

/// Very short sequences pack well in small windows, so a window also ends with this many records:
/// the output holds a vector for each record that is out of order.
const WINDOW_RECORDS: usize = 4096;

/// The fewest budgets that such a window holds: one to emit and one to carry.
const WINDOW_LEAST_BUDGETS: usize = 2;

/// Packs records into batches of at most `token_budget` tokens.
///
/// # Examples
/// ```
/// use runner::{batch::Packer, fasta::Record};
/// use std::num::NonZeroUsize;
///
/// let mut packer = Packer::new(NonZeroUsize::new(8).unwrap());
/// let sequence = b"MKTA".to_vec();
/// let record = Record { id: "p1".into(), description: String::new(), length: 4, sequence, piece: None };
/// assert!(packer.push(record)?.is_empty());
/// let batches = packer.finish();
/// assert_eq!(batches[0].input_ids, [0, 20, 15, 11, 5, 2]);
/// # Ok::<(), runner::batch::PackError>(())
/// ```
#[derive(Debug)]
pub struct Packer {
    token_budget: usize,
    /// Whether each batch holds consecutive records.
    is_in_order: bool,
    /// The window so far, in input order.
    waiting: Vec<Waiting>,
    n_waiting_tokens: usize,
    n_waiting_text_bytes: usize,
    next_index: u64,
    /// The index behind the largest that has come out.
    emitted_end: u64,
}

/// A record in the window.
#[derive(Debug)]
struct Waiting {
    record: Record,
    index: u64,
    n_carries: u8,
}

/// What the records of a window were assigned to.
struct Assignment {
    /// The bin of each record of the window.
    bin_of: Vec<usize>,
    bins: Vec<Bin>,
}

/// A batch to be.
#[derive(Clone, Debug, Default)]
struct Bin {
    n_tokens: usize,
    n_records: usize,
    /// Whether a record has waited as long as it may.
    is_due: bool,
}

impl Packer {
    /// A packer without records.
    pub fn new(token_budget: NonZeroUsize) -> Self {
        Self {
            // `cu_seqlens` counts in i32.
            token_budget: token_budget.get().min(i32::MAX as usize),
            is_in_order: false,
            waiting: Vec::new(),
            n_waiting_tokens: 0,
            n_waiting_text_bytes: 0,
            next_index: 0,
            emitted_end: 0,
        }
    }

    /// A packer without records whose batches hold consecutive records, in input order.
    pub fn in_order(token_budget: NonZeroUsize) -> Self {
        Self {
            is_in_order: true,
            ..Self::new(token_budget)
        }
    }

    /// Takes the next record of the input and gives the batches that it completes, often none.
    ///
    /// # Errors
    /// If the record alone overflows the budget. It is not taken in then.
    pub fn push(&mut self, record: Record) -> Result<Vec<PackedBatch>, PackError> {
        PackError::check(&record, self.next_index, self.token_budget)?;
        let mut batches = match self.is_in_order && !self.has_room_for(&record) {
            true => self.pack(false),
            false => Vec::new(),
        };
        self.n_waiting_tokens += n_tokens(&record);
        self.n_waiting_text_bytes += text_bytes(&record);
        self.waiting.push(Waiting {
            record,
            index: self.next_index,
            n_carries: 0,
        });
        self.next_index += 1;
        if self.n_waiting_text_bytes >= WINDOW_TEXT_BYTES {
            // What is carried over could hold nearly all of the text, and the next window as much again.
            batches.append(&mut self.pack(false));
        } else if !self.is_in_order && self.window_is_full() {
            batches.append(&mut self.pack(true));
        }
        Ok(batches)
    }

    /// The batches of the records that still wait. The packer is as new afterwards, except that
    /// row indices go on.
    pub fn finish(&mut self) -> Vec<PackedBatch> {
        self.pack(false)
    }

    /// The batches of those records that still wait and come before one that is out already, so that no
    /// record of the input is missing before the last one that came out. The others are dropped. The packer
    /// is as new afterwards, except that row indices go on.
    pub fn due(&mut self) -> Vec<PackedBatch> {
        let end = self.emitted_end;
        self.waiting.retain(|waiting| waiting.index < end);
        self.pack(false)
    }

    /// Records that wait: one of several pieces does where its last one does.
    pub fn n_waiting(&self) -> usize {
        let waiting = self.waiting.iter();
        waiting
            .filter(|waiting| waiting.record.ends_record())
            .count()
    }

    /// Whether a record fits into one batch with those that wait.
    fn has_room_for(&self, record: &Record) -> bool {
        self.n_waiting_tokens + n_tokens(record) <= self.token_budget
    }

    fn window_is_full(&self) -> bool {
        // Dividing cannot overflow where multiplying the budget could.
        let n_budgets = self.n_waiting_tokens / self.token_budget;
        n_budgets >= WINDOW_BUDGETS
            || (n_budgets >= WINDOW_LEAST_BUDGETS && self.waiting.len() >= WINDOW_RECORDS)
    }

    /// Packs the window, and carries its emptiest bin over if `may_carry`. The batch with the record that has
    /// waited longest comes first, so that rows can leave soon, and most of them are kept if not all batches
    /// are computed.
    fn pack(&mut self, may_carry: bool) -> Vec<PackedBatch> {
        let Assignment { bin_of, bins } = assign(&self.waiting, self.token_budget);
        let carried = if may_carry { emptiest(&bins) } else { None };

        let mut batches: Vec<_> = bins
            .iter()
            .map(|bin| PackedBatch::empty(bin.n_tokens, bin.n_records, self.token_budget))
            .collect();
        self.n_waiting_tokens = 0;
        self.n_waiting_text_bytes = 0;
        // In input order, so the rows of each batch are in input order too.
        for (mut waiting, bin) in mem::take(&mut self.waiting).into_iter().zip(bin_of) {
            if carried == Some(bin) {
                waiting.n_carries += 1;
                self.n_waiting_tokens += n_tokens(&waiting.record);
                self.n_waiting_text_bytes += text_bytes(&waiting.record);
                self.waiting.push(waiting);
            } else {
                self.emitted_end = self.emitted_end.max(waiting.index + 1);
                batches[bin].append(waiting.record, waiting.index);
            }
        }
        if let Some(bin) = carried {
            batches.remove(bin);
        }
        batches.sort_by_key(|batch| batch.rows.first().map(|row| row.index));
        batches
    }
}

/// Tokens that a record costs.
pub(super) fn n_tokens(record: &Record) -> usize {
    record.sequence.len() + N_SPECIAL_TOKENS
}

/// Bytes of a record's texts.
pub(super) fn text_bytes(record: &Record) -> usize {
    record.id.len() + record.description.len()
}

/// Gives each record of the window a bin.
fn assign(window: &[Waiting], token_budget: usize) -> Assignment {
    let mut order: Vec<_> = window
        .iter()
        .enumerate()
        .map(|(position, waiting)| {
            let is_due = waiting.n_carries == MAX_CARRIES;
            let n_tokens = n_tokens(&waiting.record);
            (!is_due, token_budget - n_tokens, position)
        })
        .collect();
    // Due records first, then the longest; the position makes every key unique.
    order.sort_unstable();

    let mut bin_of = vec![0; window.len()];
    let mut bins: Vec<Bin> = Vec::new();
    let mut bins_by_room = BTreeSet::new();
    for (not_due, tokens_below_budget, position) in order {
        let n_tokens = token_budget - tokens_below_budget;
        let fullest = bins_by_room.range((n_tokens, 0)..).next().copied();
        let (room, bin) = match fullest {
            Some(entry) => {
                bins_by_room.remove(&entry);
                entry
            }
            None => {
                bins.push(Bin::default());
                (token_budget, bins.len() - 1)
            }
        };
        bins_by_room.insert((room - n_tokens, bin));
        bins[bin].n_tokens += n_tokens;
        bins[bin].n_records += 1;
        bins[bin].is_due |= !not_due;
        bin_of[position] = bin;
    }
    Assignment { bin_of, bins }
}

/// The emptiest of the bins whose records may all wait for another window.
fn emptiest(bins: &[Bin]) -> Option<usize> {
    (0..bins.len())
        .filter(|&bin| !bins[bin].is_due)
        .min_by_key(|&bin| bins[bin].n_tokens)
}

#[cfg(test)]
mod tests;
