//! Batches as programs without packing make them, to compare packing with.

use super::{
    PackError, PackedBatch, WINDOW_TEXT_BYTES,
    packer::{n_tokens, text_bytes},
};
use crate::fasta::Record;
use std::num::NonZeroUsize;

/// Fills batches in input order, and pads each sequence to the longest of its batch. A batch costs
/// its number of sequences times its longest, and that is at most the token budget. It also ends with
/// [`WINDOW_TEXT_BYTES`] of ids and descriptions.
///
/// The rows of padding go through every linear layer and layer norm. They lie behind the sequences
/// and take no part in attention, as in programs that mask it well.
#[derive(Debug)]
pub struct Padder {
    token_budget: usize,
    batch: PackedBatch,
    n_text_bytes: usize,
    next_index: u64,
}

impl Padder {
    /// A padder without records.
    pub fn new(token_budget: NonZeroUsize) -> Self {
        let token_budget = token_budget.get().min(i32::MAX as usize);
        Self {
            token_budget,
            batch: PackedBatch::empty(0, 0, token_budget),
            n_text_bytes: 0,
            next_index: 0,
        }
    }

    /// Takes the next record of the input and gives the batch that it completes, if any.
    ///
    /// # Errors
    /// If the record alone overflows the budget. It is not taken in then.
    pub fn push(&mut self, record: Record) -> Result<Option<PackedBatch>, PackError> {
        PackError::check(&record, self.next_index, self.token_budget)?;
        let longest = self.batch.max_seqlen.max(n_tokens(&record));
        let n = self.batch.n_sequences() + 1;
        let is_full = n * longest > self.token_budget || self.n_text_bytes >= WINDOW_TEXT_BYTES;
        let completed = if is_full { self.finish() } else { None };
        self.n_text_bytes += text_bytes(&record);
        self.batch.append(record, self.next_index);
        self.next_index += 1;
        Ok(completed)
    }

    /// Records that wait: one of several pieces does where its last one does. They come after all that are out.
    pub fn n_waiting(&self) -> usize {
        self.batch.n_records()
    }

    /// The batch of the records that still wait.
    pub fn finish(&mut self) -> Option<PackedBatch> {
        let empty = PackedBatch::empty(0, 0, self.token_budget);
        let mut batch = std::mem::replace(&mut self.batch, empty);
        self.n_text_bytes = 0;
        batch.n_padding = batch.n_sequences() * batch.max_seqlen - batch.n_tokens();
        (batch.n_sequences() > 0).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_with_its_text() {
        let mut padder = Padder::new(NonZeroUsize::new(1000).expect("not zero"));
        let mut sizes = Vec::new();
        for n in 0..5 {
            let record = Record {
                id: n.to_string(),
                description: "d".repeat(WINDOW_TEXT_BYTES / 2),
                length: 1,
                sequence: b"M".to_vec(),
                piece: None,
            };
            sizes.extend(padder.push(record).expect("it fits"));
        }
        sizes.extend(padder.finish());
        let sizes: Vec<_> = sizes.iter().map(PackedBatch::n_sequences).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn batches_are_padded_to_their_longest() {
        let budget = NonZeroUsize::new(24).expect("not zero");
        let mut padder = Padder::new(budget);
        let mut batches = Vec::new();
        // 6, 10, 3 and 22 tokens with BOS and EOS.
        for (n, length) in [4usize, 8, 1, 20].into_iter().enumerate() {
            let record = Record {
                id: n.to_string(),
                description: String::new(),
                length: length as u32,
                sequence: vec![b'A'; length],
                piece: None,
            };
            batches.extend(padder.push(record).expect("it fits"));
        }
        batches.extend(padder.finish());
        let figures: Vec<_> = batches
            .iter()
            .map(|batch| (batch.cu_seqlens.clone(), batch.n_padding))
            .collect();
        assert_eq!(
            figures,
            [(vec![0, 6, 16], 4), (vec![0, 3], 0), (vec![0, 22], 0)]
        );
        let indices: Vec<_> = batches
            .iter()
            .flat_map(|b| &b.rows)
            .map(|row| row.index)
            .collect();
        assert_eq!(indices, [0, 1, 2, 3]);
        assert!(padder.finish().is_none());
    }
}
