//! Sequences laid end to end, without padding.

use crate::{
    alphabet::{N_SPECIAL_TOKENS, encode, token_id},
    fasta::{Piece, Record},
};

/// What the output needs to know about a sequence of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Index among the sequences that the run embeds, in input order, from 0. A piece is one of its own.
    pub index: u64,
    /// The record's id.
    pub id: String,
    /// The rest of the definition line.
    pub description: String,
    /// Residues before truncation.
    pub length: u32,
    /// Whether only the first residues are embedded.
    pub truncated: bool,
    /// Which part of a longer record the sequence is, if it is not all of one.
    pub piece: Option<Piece>,
    /// The residues that are embedded, as the record has them.
    pub sequence: Vec<u8>,
}

impl Row {
    /// Bytes of its texts, which can be far more than those of its sequence.
    pub fn text_bytes(&self) -> usize {
        self.id.len() + self.description.len()
    }

    /// Whether no piece of the same record follows.
    pub fn ends_record(&self) -> bool {
        self.piece.is_none_or(Piece::is_last)
    }
}

/// A batch of sequences laid end to end, each framed by BOS and EOS. T is the number of tokens of
/// the batch and n its number of sequences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedBatch {
    /// Token ids, `[T]`.
    pub input_ids: Vec<i32>,
    /// Where each sequence begins, and the end of the last one, `[n + 1]`.
    pub cu_seqlens: Vec<i32>,
    /// Tokens of the longest sequence of this batch.
    pub max_seqlen: usize,
    /// One entry a sequence, in the order of the batch.
    pub rows: Vec<Row>,
    /// The budget that the batch was packed for, in tokens.
    pub token_budget: usize,
    /// Rows of padding that are computed behind the sequences. None, unless batches were padded to
    /// compare packing with that.
    pub n_padding: usize,
}

impl PackedBatch {
    /// A sequence that no record is of, alone.
    pub fn alone(sequence: &[u8]) -> Self {
        let n_tokens = sequence.len() + N_SPECIAL_TOKENS;
        let mut batch = Self::empty(n_tokens, 1, n_tokens);
        let record = Record {
            id: String::new(),
            description: String::new(),
            sequence: sequence.to_vec(),
            length: sequence.len() as u32,
            piece: None,
        };
        batch.append(record, 0);
        batch
    }

    /// `n_tokens` tokens of made-up sequences, to try a device with.
    pub fn synthetic(n_tokens: usize) -> Self {
        /// Residues of a long protein, BOS and EOS included.
        const LENGTH: usize = 1024;
        // The commonest residue.
        let leucine = token_id(b'L');
        let n = (n_tokens / LENGTH).max(1);
        // The last sequence takes the rest, which may be too short for one of its own.
        let ends = (1..=n).map(|end| if end == n { n_tokens } else { end * LENGTH });
        let cu_seqlens: Vec<i32> = std::iter::once(0)
            .chain(ends)
            .map(|end| end as i32)
            .collect();
        let row = |index| Row {
            index,
            id: "synthetic".to_owned(),
            description: String::new(),
            length: LENGTH as u32,
            truncated: false,
            piece: None,
            sequence: Vec::new(),
        };
        Self {
            input_ids: vec![leucine; n_tokens],
            max_seqlen: n_tokens - (n - 1) * LENGTH,
            rows: (0..n as u64).map(row).collect(),
            token_budget: n_tokens,
            n_padding: 0,
            cu_seqlens,
        }
    }

    /// Makes all sequences the beginnings of longer ones.
    pub fn mark_as_pieces(&mut self) {
        let piece = Piece {
            number: 0,
            of: 2,
            start: 0,
        };
        for row in &mut self.rows {
            row.piece = Some(piece);
        }
    }

    /// A batch without records, with memory for so many.
    pub(super) fn empty(n_tokens: usize, n_records: usize, token_budget: usize) -> Self {
        let mut cu_seqlens = Vec::with_capacity(n_records + 1);
        cu_seqlens.push(0);
        Self {
            input_ids: Vec::with_capacity(n_tokens),
            cu_seqlens,
            max_seqlen: 0,
            rows: Vec::with_capacity(n_records),
            token_budget,
            n_padding: 0,
        }
    }

    /// Tokenises a record at the end of the batch. `index` is its place among all records.
    pub(super) fn append(&mut self, record: Record, index: u64) {
        self.max_seqlen = self
            .max_seqlen
            .max(record.sequence.len() + N_SPECIAL_TOKENS);
        encode(&record.sequence, &mut self.input_ids);
        let end = i32::try_from(self.input_ids.len()).expect("a budget is at most i32::MAX tokens");
        self.cu_seqlens.push(end);
        self.rows.push(Row {
            index,
            truncated: record.is_truncated(),
            piece: record.piece,
            id: record.id,
            description: record.description,
            length: record.length,
            sequence: record.sequence,
        });
    }

    /// Tokens in the batch, BOS and EOS included.
    pub fn n_tokens(&self) -> usize {
        self.input_ids.len()
    }

    /// Sequences in the batch.
    pub fn n_sequences(&self) -> usize {
        self.rows.len()
    }

    /// Records in the batch: one of several pieces is where its last one is.
    pub fn n_records(&self) -> usize {
        self.rows.iter().filter(|row| row.ends_record()).count()
    }

    /// Which of the sequences are pieces of longer records.
    pub fn pieces(&self) -> Vec<bool> {
        self.rows.iter().map(|row| row.piece.is_some()).collect()
    }

    /// The half-open token ranges of the sequences, in the order of the batch.
    pub fn ranges(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        self.cu_seqlens
            .windows(2)
            .map(|pair| pair[0] as usize..pair[1] as usize)
    }
}
