//! The contacts of a record, put together from those of its windows.

use super::overlay::weight;
use crate::job::ContactPairs;

/// The probabilities of contacts of a record's residues, put together from those of its windows, as
/// [`Overlay`](super::overlay::Overlay) does it with vectors: of a pair, a window counts by the product of what it
/// counts at both. Nothing is known of pairs that no window holds: they count as no contacts.
#[derive(Debug)]
pub(super) struct ContactOverlay {
    n_residues: usize,
    /// Residues of a window. Pairs that are farther from each other are in none.
    width: usize,
    /// Of each residue, the pairs with itself and those behind it, `[residues, width]`.
    values: Vec<f32>,
    /// What each pair was given so far.
    weights: Vec<f32>,
}

impl ContactOverlay {
    /// Of so many residues, in windows of `width`.
    pub(super) fn new(n_residues: usize, width: usize) -> Self {
        Self {
            n_residues,
            width,
            values: vec![0.0; n_residues * width],
            weights: vec![0.0; n_residues * width],
        }
    }

    /// Adds the matrix of a window whose first residue is `start`. It is symmetric.
    pub(super) fn add(&mut self, start: usize, window: &[f32]) {
        let n = window.len().isqrt();
        for (i, row) in window.chunks_exact(n.max(1)).enumerate() {
            let at = (start + i) * self.width;
            let values = self.values[at..].iter_mut();
            let weights = self.weights[at..].iter_mut();
            for (j, (old, given)) in (i..n).zip(values.zip(weights)) {
                let weight = weight(i, n) * weight(j, n);
                *given += weight;
                *old += weight / *given * (row[j] - *old);
            }
        }
    }

    /// All pairs, `[residues, residues]`.
    pub(super) fn matrix(&self) -> Vec<f32> {
        let n = self.n_residues;
        let mut matrix = vec![0.0; n * n];
        for (i, row) in self.values.chunks_exact(self.width).enumerate() {
            for (j, &value) in (i..n).zip(row) {
                matrix[i * n + j] = value;
                matrix[j * n + i] = value;
            }
        }
        matrix
    }

    /// The likely pairs, as [`ContactPairs::list`] gives them.
    pub(super) fn pairs(&self, rule: ContactPairs) -> Vec<f32> {
        let mut pairs = Vec::new();
        for (i, row) in self.values.chunks_exact(self.width).enumerate() {
            let row = (i..self.n_residues).zip(row);
            for (j, &value) in row.skip(rule.min_separation.max(1)) {
                if rule.keeps(value) {
                    pairs.extend([(i + 1) as f32, (j + 1) as f32, value]);
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_weighted_and_those_of_no_window_are_none() {
        // Four residues in windows of three that begin at 0 and 1.
        let mut overlay = ContactOverlay::new(4, 3);
        #[rustfmt::skip]
        overlay.add(0, &[
            0.9, 0.1, 0.2,
            0.1, 0.9, 0.3,
            0.2, 0.3, 0.9,
        ]);
        #[rustfmt::skip]
        overlay.add(1, &[
            0.9, 0.6, 0.4,
            0.6, 0.9, 0.5,
            0.4, 0.5, 0.9,
        ]);
        // Both windows count as two for the pair in the middle: their middle, and a neighbour of it.
        let middle = (0.3 + 0.6) / 2.0;
        #[rustfmt::skip]
        let expect = [
            0.9, 0.1, 0.2, 0.0,
            0.1, 0.9, middle, 0.4,
            0.2, middle, 0.9, 0.5,
            0.0, 0.4, 0.5, 0.9,
        ];
        let matrix = overlay.matrix();
        let distances = matrix
            .iter()
            .zip(expect)
            .map(|(a, b): (&f32, f32)| (a - b).abs());
        assert!(
            distances.into_iter().all(|distance| distance < 1e-6),
            "{matrix:?}"
        );
        let rule = ContactPairs {
            threshold: 0.2,
            min_separation: 1,
        };
        assert_eq!(overlay.pairs(rule), rule.list(&matrix));
    }
}
