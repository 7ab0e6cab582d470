//! What can go wrong between a record and its batch.

use crate::fasta::Record;

/// A record that no batch can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "record {ordinal} (`{id}`) needs {n_tokens} tokens, two more than its residues, and \
     token_budget is {token_budget} (raise token_budget to {n_tokens} or more, or embed only the \
     first residues with `long_sequences(\"truncate\", {})`)",
    token_budget.saturating_sub(super::N_FRAME_TOKENS)
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
        let n_tokens = record.sequence.len() + super::N_FRAME_TOKENS;
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

/// A `vocab.txt` that is not the alphabet of ESM-2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {} of the vocabulary {}, where ESM-2 {} (use the vocab.txt that came with the ESM-2 \
     weights)",
    token_id + 1,
    found.as_ref().map_or("is missing".to_owned(), |token| format!("is `{token}`")),
    expected.map_or("has no more tokens".to_owned(), |token| format!("has `{token}`"))
)]
pub struct VocabError {
    /// The first token id that differs, from 0.
    pub token_id: usize,
    /// What the file has there, if anything.
    pub found: Option<String>,
    /// What ESM-2 has there, if anything.
    pub expected: Option<&'static str>,
}
