//! Which records to embed.

use serde::{Deserialize, Serialize};

/// FASTA sources and the rules that their records go through.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Paths, glob patterns or `-` for standard input, as the script wrote them, in input order.
    pub sources: Vec<String>,
    /// What happens to each record.
    pub policy: RecordPolicy,
    /// Stop after this many records of the input have been read.
    pub take: Option<u64>,
}

/// What a reader does with each record. It travels to the reader subprocesses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPolicy {
    /// Reject records with fewer residues.
    pub min_length: Option<usize>,
    /// Reject records with more residues.
    pub max_length: Option<usize>,
    /// What to do with sequences that the model was not trained for.
    pub long_sequences: LongSequences,
    /// What to do with characters outside the model's alphabet.
    pub residues: ResiduePolicy,
}

/// What to do with a sequence of more than `n` residues.
///
/// ESM-2 was trained on crops of 1,024 tokens, which is 1,022 residues and two special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LongSequences {
    /// Embed the first `n` residues and mark the row as truncated.
    Truncate(usize),
    /// Reject the record.
    Skip(usize),
    /// Stop the run, naming the record.
    Error(usize),
}

/// What to do with characters that are neither residues of the alphabet nor `*` at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResiduePolicy {
    /// Keep the position; the tokeniser turns it into `<unk>`.
    Unk,
    /// Remove the character.
    Strip,
    /// Stop the run, naming record and character.
    Error,
}

impl Dataset {
    /// Every record of `sources`, under the default rules.
    pub fn new(sources: Vec<String>) -> Self {
        Self {
            sources,
            policy: RecordPolicy {
                min_length: None,
                max_length: None,
                long_sequences: LongSequences::Truncate(LongSequences::TRAINED_RESIDUES),
                residues: ResiduePolicy::Unk,
            },
            take: None,
        }
    }
}

impl LongSequences {
    /// Residues in the longest crop that ESM-2 was trained on.
    pub const TRAINED_RESIDUES: usize = 1022;

    /// The longest sequence that passes unchanged, in residues.
    pub fn limit(self) -> usize {
        match self {
            Self::Truncate(n) | Self::Skip(n) | Self::Error(n) => n,
        }
    }

    /// The policy's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncate(_) => "truncate",
            Self::Skip(_) => "skip",
            Self::Error(_) => "error",
        }
    }
}

impl ResiduePolicy {
    /// The policy's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unk => "unk",
            Self::Strip => "strip",
            Self::Error => "error",
        }
    }
}
