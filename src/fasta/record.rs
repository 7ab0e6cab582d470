//! A record on its way from a file to the packer.

use super::piece::Piece;
use serde::{Deserialize, Serialize};

/// A protein that passed every policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The first word of the definition line, empty if there is none. Bytes that are not UTF-8 are
    /// written as `\xNN`.
    pub id: String,
    /// The rest of the definition line, empty if there is none.
    pub description: String,
    /// The residues to embed, upper-case, after truncation. Under the policy `unk` characters
    /// outside the alphabet stand here as they are in the file, upper-cased; one of several bytes
    /// is a `?`, and a `<mask>` is [`MASK_RESIDUE`](crate::alphabet::MASK_RESIDUE).
    // As bytes, because serde would write and read one number after the other.
    #[serde(with = "serde_bytes")]
    pub sequence: Vec<u8>,
    /// Residues before truncation.
    pub length: u32,
    /// Which part of a longer record this is. Readers give whole ones.
    #[serde(skip)]
    pub piece: Option<Piece>,
}

/// What became of one record of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It will be embedded.
    Kept(Record),
    /// A policy rejected it.
    Rejected(Rejection),
}

/// A record that will not be embedded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The record's id.
    pub id: String,
    /// The reason, for people: "empty sequence", "7 residues, fewer than min_length 10".
    pub reason: String,
}

impl Record {
    /// Whether only the first residues are embedded.
    pub fn is_truncated(&self) -> bool {
        self.piece.is_none() && self.sequence.len() < self.length as usize
    }
}

impl Outcome {
    /// The record's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Kept(record) => &record.id,
            Self::Rejected(rejection) => &rejection.id,
        }
    }

    /// Bytes that the outcome takes in memory and in a frame, about.
    pub fn size_bytes(&self) -> usize {
        let text = match self {
            Self::Kept(record) => {
                record.id.len() + record.description.len() + record.sequence.len()
            }
            Self::Rejected(rejection) => rejection.id.len() + rejection.reason.len(),
        };
        text + size_of::<Self>()
    }
}
