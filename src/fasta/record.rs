//! A record on its way from a file to the packer.

use super::piece::Piece;
use crate::job::Window;
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

    /// Whether no piece of the same record follows.
    pub fn ends_record(&self) -> bool {
        self.piece.is_none_or(Piece::is_last)
    }

    /// The record in pieces of a window each, one after the other; the record itself if it is no longer than one.
    /// Only the first piece has the description.
    pub fn into_pieces(mut self, window: Window) -> impl Iterator<Item = Self> {
        let starts = window.starts(self.sequence.len());
        let of = starts.len() as u32;
        (0..).zip(starts).map(move |(number, start)| {
            let description = std::mem::take(&mut self.description);
            if of == 1 {
                return Self {
                    id: std::mem::take(&mut self.id),
                    description,
                    sequence: std::mem::take(&mut self.sequence),
                    ..self
                };
            }
            Self {
                id: self.id.clone(),
                description,
                sequence: self.sequence[start..start + window.residues].to_vec(),
                length: self.length,
                piece: Some(Piece {
                    number,
                    of,
                    start: start as u32,
                }),
            }
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_becomes_windows_and_a_short_one_stays() {
        let record = |sequence: &[u8]| Record {
            id: "a".to_owned(),
            description: "b".to_owned(),
            sequence: sequence.to_vec(),
            length: sequence.len() as u32,
            piece: None,
        };
        let window = Window::new(4, 1);
        let short = record(b"MKTV");
        assert_eq!(
            short.clone().into_pieces(window).collect::<Vec<_>>(),
            [short]
        );
        let pieces: Vec<_> = record(b"MKTVACDEF").into_pieces(window).collect();
        let shown = pieces.iter().map(|piece| {
            let sequence = str::from_utf8(&piece.sequence).unwrap();
            let start = piece.piece.unwrap().start;
            (sequence, start, piece.description.as_str(), piece.length)
        });
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [("MKTV", 0, "b", 9), ("TVAC", 2, "", 9), ("CDEF", 5, "", 9)]
        );
        let last: Vec<_> = (pieces.iter())
            .map(|piece| piece.piece.unwrap().is_last())
            .collect();
        assert_eq!(last, [false, false, true]);
    }
}
