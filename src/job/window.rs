//! Windows over a sequence that is longer than one.

use serde::{Deserialize, Serialize};

/// Windows over a sequence that is longer than one.
///
/// All of them are full, and they lie as evenly over the sequence as whole residues allow: no window is a short
/// rest, whose residues would see less than others do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Residues of a window.
    pub residues: usize,
    /// Residues that windows which follow each other have in common, at least. Half a window at most.
    pub overlap: usize,
    /// The most residues of a sequence that is joined from windows. It bounds what one row takes in memory.
    pub most: usize,
}

impl Window {
    /// Several times the residues of the longest protein.
    const MOST: usize = 1 << 17;
    /// The same where a row has a number for each pair of residues: a gigabyte of them.
    const MOST_WITH_PAIRS: usize = 1 << 14;

    /// Windows of so many residues that have so many in common at least.
    pub fn new(residues: usize, overlap: usize) -> Self {
        Self {
            residues,
            overlap,
            most: Self::MOST,
        }
    }

    /// The same windows over sequences of which a row has a number for each pair of residues.
    pub(super) fn with_pairs(self) -> Self {
        Self {
            most: Self::MOST_WITH_PAIRS,
            ..self
        }
    }

    /// The overlap of windows of so many residues where none is asked for: a quarter of a window, 256 of 1,022.
    pub fn default_overlap(residues: usize) -> usize {
        residues.div_ceil(4).min(Self::most_overlap(residues))
    }

    /// The largest overlap of windows of so many residues.
    pub fn most_overlap(residues: usize) -> usize {
        residues / 2
    }

    /// How many windows a sequence of `length` residues needs.
    pub fn count(self, length: usize) -> usize {
        match length.checked_sub(self.residues) {
            None | Some(0) => 1,
            Some(rest) => 1 + rest.div_ceil(self.residues - self.overlap),
        }
    }

    /// Where the windows of a sequence of `length` residues begin. A sequence that fits into one has one.
    pub fn starts(self, length: usize) -> impl ExactSizeIterator<Item = usize> {
        let count = self.count(length);
        let rest = length.saturating_sub(self.residues);
        // Of a single window no start but the first is asked for.
        (0..count).map(move |n| n * rest / (count - 1).max(1))
    }

    /// Tokens of all windows of a sequence of `length` residues, but for those at their ends.
    pub fn residues_of(self, length: usize) -> usize {
        match self.count(length) {
            1 => length,
            count => count * self.residues,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_every_residue_and_overlap_as_much_as_asked() {
        for (residues, overlap) in [(1022, 256), (10, 5), (10, 0), (7, 3), (2, 1), (1, 0)] {
            let window = Window::new(residues, overlap);
            for length in (1..4 * residues).chain([34_350]) {
                let starts: Vec<_> = window.starts(length).collect();
                assert_eq!(starts.len(), window.count(length));
                assert_eq!(starts[0], 0);
                if length <= residues {
                    assert_eq!(starts.len(), 1);
                    continue;
                }
                assert_eq!(
                    starts.last(),
                    Some(&(length - residues)),
                    "the last one is full"
                );
                let strides: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
                let (least, most) = (strides.iter().min().unwrap(), strides.iter().max().unwrap());
                assert!(
                    *least > 0 && most - least <= 1,
                    "{window:?} {length} {strides:?}"
                );
                assert!(
                    most + overlap <= residues,
                    "{window:?} {length} {strides:?}"
                );
                // One fewer would not do.
                assert!((starts.len() - 2) * (residues - overlap) < length - residues);
            }
        }
        let window = Window::new(1022, 256);
        assert_eq!(window.count(34_350), 45);
        assert_eq!(window.residues_of(34_350), 45 * 1022);
        assert_eq!(window.residues_of(99), 99);
    }

    #[test]
    fn the_default_overlap_is_a_quarter() {
        for (residues, overlap) in [(1022, 256), (100, 25), (3, 1), (2, 1), (1, 0)] {
            assert_eq!(Window::default_overlap(residues), overlap);
        }
    }
}
