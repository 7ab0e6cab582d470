//! Pieces of a record that is too long to be embedded as a whole.

use super::record::Record;
use crate::job::Window;

/// A window over a record that is too long to be embedded as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which of the record's pieces, from 0.
    pub number: u32,
    /// Pieces of the record, two at least.
    pub of: u32,
    /// Its first residue in the record, from 0.
    pub start: u32,
}

impl Piece {
    /// Whether it is the last one of its record.
    pub fn is_last(self) -> bool {
        self.number + 1 == self.of
    }
}

impl Record {
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
