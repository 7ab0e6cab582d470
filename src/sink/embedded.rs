//! The embeddings of a batch.

use crate::batch::Row;

/// Sequences and their embeddings. n is the number of sequences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EmbeddedBatch {
    /// The sequences, `[n]`.
    pub rows: Vec<Row>,
    /// Their embeddings, `[n, layers, hidden_size]`.
    pub embeddings: Vec<f32>,
}

impl EmbeddedBatch {
    /// Takes rows from the beginning, those that hold `most_bytes` of text together, at least one.
    pub(super) fn take_text(&mut self, most_bytes: usize) -> Self {
        let mut n_bytes = 0;
        let mut fits = |row: &Row| {
            n_bytes += row.text_bytes();
            n_bytes <= most_bytes
        };
        let n_rows = self.rows.iter().take_while(|row| fits(row)).count();
        if n_rows == self.rows.len() {
            return std::mem::take(self);
        }
        let n_rows = n_rows.max(1);
        let n_values = n_rows * (self.embeddings.len() / self.rows.len());
        let rest = Self {
            rows: self.rows.split_off(n_rows),
            embeddings: self.embeddings.split_off(n_values),
        };
        std::mem::replace(self, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_by_the_bytes_of_their_text() {
        let row = |index: u64, n_bytes: usize| Row {
            index,
            id: "i".repeat(n_bytes / 2),
            description: "d".repeat(n_bytes - n_bytes / 2),
            length: 1,
            truncated: false,
        };
        let sizes = [3, 4, 20, 1, 9, 0];
        let mut batch = EmbeddedBatch {
            rows: (0..).zip(sizes).map(|(index, n)| row(index, n)).collect(),
            embeddings: (0..12).map(|n| n as f32).collect(),
        };
        let mut taken = Vec::new();
        while !batch.rows.is_empty() {
            let piece = batch.take_text(10);
            let first = piece.rows[0].index as f32;
            assert_eq!(piece.embeddings[0], 2.0 * first);
            assert_eq!(piece.embeddings.len(), 2 * piece.rows.len());
            taken.push(piece.rows.len());
        }
        assert_eq!(taken, [2, 1, 3]);
    }
}
