//! How close vectors are to those that they should be.

use serde::Serialize;

/// How close vectors are to those that they should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Pairs of vectors that were compared.
    pub vectors: usize,
    /// The least cosine of a pair.
    pub least: f64,
    /// The sequence that it is of, by its id.
    pub least_id: String,
    /// Of vectors of residues, which one of the sequence, from 1.
    pub least_residue: Option<usize>,
    /// The median of the cosines.
    pub median: f64,
    /// The largest difference of a component.
    pub largest_difference: f64,
    /// The norm of all differences over that of all vectors as they should be.
    pub relative_norm: f64,
}

/// Pairs of vectors, compared one after the other.
#[derive(Debug, Default)]
pub(super) struct Tally {
    cosines: Vec<f64>,
    /// Index of the pair with the least cosine, and what it is of.
    least: Option<(usize, String, Option<usize>)>,
    largest_difference: f64,
    difference_square: f64,
    reference_square: f64,
}

impl Tally {
    /// Adds the vectors of a sequence, or of one of its residues, as pairs of what is and what should be.
    pub(super) fn add(
        &mut self,
        id: &str,
        residue: Option<usize>,
        pairs: impl Iterator<Item = (f64, f64)>,
    ) {
        let (mut dot, mut got_square, mut want_square) = (0.0, 0.0, 0.0);
        for (got, want) in pairs {
            dot += got * want;
            got_square += got * got;
            want_square += want * want;
            self.largest_difference = self.largest_difference.max((got - want).abs());
            self.difference_square += (got - want).powi(2);
        }
        self.reference_square += want_square;
        // Nothing has no direction, but is equal to itself.
        let cosine = match (got_square == 0.0, want_square == 0.0) {
            (true, true) => 1.0,
            (true, false) | (false, true) => 0.0,
            (false, false) => dot / (got_square.sqrt() * want_square.sqrt()),
        };
        let least = self.least.as_ref().map(|(index, ..)| self.cosines[*index]);
        if least.is_none_or(|least| cosine < least) {
            self.least = Some((self.cosines.len(), id.to_owned(), residue));
        }
        self.cosines.push(cosine);
    }

    /// How close they are, if there were any.
    pub(super) fn agreement(self) -> Option<Agreement> {
        let (index, least_id, least_residue) = self.least?;
        let least = self.cosines[index];
        Some(Agreement {
            vectors: self.cosines.len(),
            least,
            least_id,
            least_residue,
            median: median(self.cosines),
            largest_difference: self.largest_difference,
            relative_norm: match self.reference_square > 0.0 {
                true => (self.difference_square / self.reference_square).sqrt(),
                false => self.difference_square.sqrt(),
            },
        })
    }
}

/// The middle one of at least one number, or the mean of the two in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match numbers.len() % 2 {
        1 => numbers[half],
        _ => f64::midpoint(numbers[half - 1], numbers[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(pairs: &[(&str, &[f64], &[f64])]) -> Agreement {
        let mut tally = Tally::default();
        for (id, got, want) in pairs {
            let pairs = got.iter().copied().zip(want.iter().copied());
            tally.add(id, None, pairs);
        }
        tally.agreement().unwrap()
    }

    #[test]
    fn the_least_cosine_is_found_with_its_sequence() {
        let found = tally(&[
            ("same", &[3.0, 4.0], &[3.0, 4.0]),
            ("right", &[0.0, 2.0], &[5.0, 0.0]),
            ("longer", &[6.0, 8.0], &[3.0, 4.0]),
            ("slanting", &[1.0, 1.0], &[1.0, 0.0]),
        ]);
        assert_eq!((found.vectors, found.least), (4, 0.0));
        assert_eq!(found.least_id, "right");
        assert!((found.median - (1.0 + 0.5f64.sqrt()) / 2.0).abs() < 1e-12);
        assert_eq!(found.largest_difference, 5.0);
        assert!((found.relative_norm - (55.0f64 / 76.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_equal_to_itself_and_to_nothing_else() {
        let found = tally(&[("zero", &[0.0, 0.0], &[0.0, 0.0])]);
        assert_eq!((found.least, found.relative_norm), (1.0, 0.0));
        let found = tally(&[("lost", &[0.0, 0.0], &[3.0, 4.0])]);
        assert_eq!((found.least, found.relative_norm), (0.0, 1.0));
        let found = tally(&[("made up", &[3.0, 4.0], &[0.0, 0.0])]);
        assert_eq!((found.least, found.relative_norm), (0.0, 5.0));
        assert_eq!(Tally::default().agreement(), None);
    }
}
