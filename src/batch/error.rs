//! What can go wrong between a record and its batch.

use crate::{alphabet::N_SPECIAL_TOKENS, fasta::Record, hint::Hint};

/// A record that no batch can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "record {ordinal} (`{id}`) needs {n_tokens} tokens, two more than its residues, and \
     token_budget is {token_budget}"
)]
pub struct PackError {
    /// Which of the records to embed, from 1.
    pub ordinal: u64,
    /// The record's id.
    pub id: String,
    /// Tokens of the record, BOS and EOS included.
    pub n_tokens: usize,
    /// Tokens that a batch may hold.
    pub token_budget: usize,
}

impl PackError {
    /// Checks that the record with this index, from 0, fits into a batch.
    pub(super) fn check(record: &Record, index: u64, token_budget: usize) -> Result<(), PackError> {
        let n_tokens = record.sequence.len() + N_SPECIAL_TOKENS;
        if n_tokens <= token_budget {
            return Ok(());
        }
        Err(Self {
            ordinal: index + 1,
            id: record.id.clone(),
            n_tokens,
            token_budget,
        })
    }
}

impl Hint for PackError {
    fn hint(&self) -> Option<String> {
        Some(format!(
            "raise `token_budget` to {} or more, or embed only the first residues with \
             `long_sequences(\"truncate\", {})`",
            self.n_tokens,
            self.token_budget.saturating_sub(N_SPECIAL_TOKENS)
        ))
    }
}
