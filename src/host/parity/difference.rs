//! How far the answers of a head are from those that they should be.

use super::figure::{Asked, Figure, Pair};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How far the answers of a head are from those that they should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Numbers that were compared.
    pub numbers: usize,
    /// What they are of, for people.
    pub numbers_of: &'static str,
    /// Proteins that they are of.
    pub proteins: usize,
    /// The largest difference of a number.
    pub largest_difference: f64,
    /// The sequence that it is of, by its id.
    pub largest_id: String,
    /// Where in the sequence it is, for people.
    pub largest_place: String,
    /// The mean of the differences.
    pub mean_difference: f64,
    /// How well they agree otherwise, by the name of the measure: 1 if they are equal.
    #[serde(flatten)]
    pub measure: BTreeMap<&'static str, f64>,
}

impl Difference {
    /// Compares what was answered about sequences with what should have been. Nothing, if there are no numbers.
    pub(super) fn of(
        figure: &Figure,
        asked: &[Asked],
        got: &[Vec<f32>],
        want: &[Vec<f32>],
    ) -> Option<Self> {
        let answers = asked.iter().zip(got.iter().zip(want));
        let pairs: Vec<_> = answers
            .map(|(asked, (got, want))| Pair { asked, got, want })
            .collect();
        let (mut numbers, mut sum) = (0, 0.0);
        let mut proteins = BTreeSet::new();
        let mut largest: Option<(f64, &Asked, usize)> = None;
        for &Pair { asked, got, want } in &pairs {
            let got = (figure.numbers)(asked, got);
            let want = (figure.numbers)(asked, want);
            for (number, (got, want)) in got.iter().zip(&want).enumerate() {
                let difference = (got - want).abs();
                if largest.is_none_or(|(largest, ..)| difference > largest) {
                    largest = Some((difference, asked, number));
                }
                sum += difference;
            }
            numbers += got.len();
            proteins.insert(asked.protein);
        }
        let (largest_difference, asked, number) = largest?;
        let measured = figure.measure.and_then(|measure| {
            let value = (measure.of)(&pairs)?;
            Some((measure.name, value))
        });
        Some(Self {
            numbers,
            numbers_of: figure.numbers_of,
            proteins: proteins.len(),
            largest_difference,
            largest_id: asked.record.id.clone(),
            largest_place: (figure.place)(asked, number),
            mean_difference: sum / numbers as f64,
            measure: measured.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::figure::FIGURES, *};
    use crate::fasta::Record;

    #[test]
    fn the_largest_difference_is_found_with_its_place() {
        let record = |id: &str, sequence: &[u8]| Record {
            id: id.to_owned(),
            description: String::new(),
            length: sequence.len() as u32,
            sequence: sequence.to_vec(),
            piece: None,
        };
        let figure = FIGURES.iter().find(|figure| figure.name == "contacts");
        let figure = figure.unwrap();
        let asked = (figure.asked)(&[record("p", b"MK"), record("q", b"MKT")]);
        let want = [vec![0.0; 4], vec![0.5; 9]];
        let mut got = want.clone();
        got[0][1] = 0.125;
        // Of residues 1 and 3 of the second protein, and on the other side, where it is not looked at.
        (got[1][2], got[1][6]) = (0.25, 9.0);
        let found = Difference::of(figure, &asked, &got, &want).unwrap();
        assert_eq!((found.numbers, found.proteins), (4, 2));
        assert_eq!(found.largest_difference, 0.25);
        assert_eq!(found.largest_id, "q");
        assert_eq!(found.largest_place, "residues 1 and 3");
        assert_eq!(found.mean_difference, 0.375 / 4.0);
        assert!(found.measure.is_empty());
        assert_eq!(Difference::of(figure, &[], &[], &[]), None);
    }
}
