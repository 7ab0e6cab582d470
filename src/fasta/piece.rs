//! Pieces of a record that is too long to be embedded as a whole.

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
