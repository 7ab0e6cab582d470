//! What a model makes of some proteins: a vector for each of them and for each of their residues.

use super::{
    agreement::{Agreement, Tally},
    asking::Asking,
};
use crate::{
    error::Error,
    fasta::Record,
    job::{Content, Pooling, Positions},
};

/// What a model makes of some proteins, in their order.
#[derive(Debug)]
pub(super) struct Vectors {
    /// The mean over the residues of each.
    pub(super) pooled: Vec<Vec<f32>>,
    /// The vectors of the residues of each, one after the other.
    pub(super) residues: Vec<Vec<f32>>,
    pub(super) hidden_size: usize,
}

impl Vectors {
    /// Embeds the proteins as runs do.
    ///
    /// # Errors
    /// If the device fails, a vector is not finite, or it is told to stop.
    pub(super) fn of(
        asking: &mut Asking<'_>,
        records: &[Record],
        layer: usize,
    ) -> Result<Self, Error> {
        let mut vectors = Self {
            pooled: vec![Vec::new(); records.len()],
            residues: vec![Vec::new(); records.len()],
            hidden_size: asking.model().hidden_size(),
        };
        let (pooling, positions) = (Pooling::Mean, Positions::Residues);
        let contents = [
            Content::Pooled { layer, pooling },
            Content::States { layer, positions },
        ];
        asking.ask(records.iter(), &contents, |index, answer| {
            vectors.pooled[index] = answer[0].to_vec();
            vectors.residues[index] = answer[1].to_vec();
        })?;
        Ok(vectors)
    }

    /// How close the pooled vectors are to those of `want`.
    pub(super) fn pooled_agreement(&self, want: &Self, ids: &[&str]) -> Option<Agreement> {
        let zero = vec![0.0; self.hidden_size];
        self.agreement_around(&zero, want, ids)
    }

    /// The same with the mean of the vectors of `want` taken off both. All proteins share most of a vector, and
    /// what tells them apart is the rest. `None` if there are not two.
    pub(super) fn centred_agreement(&self, want: &Self, ids: &[&str]) -> Option<Agreement> {
        if want.pooled.len() < 2 {
            return None;
        }
        let mut mean = vec![0.0; self.hidden_size];
        for vector in &want.pooled {
            for (mean, &value) in mean.iter_mut().zip(vector) {
                *mean += f64::from(value) / want.pooled.len() as f64;
            }
        }
        self.agreement_around(&mean, want, ids)
    }

    fn agreement_around(&self, centre: &[f64], want: &Self, ids: &[&str]) -> Option<Agreement> {
        let mut tally = Tally::default();
        for ((got, want), id) in self.pooled.iter().zip(&want.pooled).zip(ids) {
            let pairs = got.iter().zip(want).zip(centre);
            tally.add(
                id,
                None,
                pairs.map(|((&got, &want), centre)| {
                    (f64::from(got) - centre, f64::from(want) - centre)
                }),
            );
        }
        tally.agreement()
    }

    /// How close the vectors of the residues are to those of `want`.
    pub(super) fn residue_agreement(&self, want: &Self, ids: &[&str]) -> Option<Agreement> {
        let mut tally = Tally::default();
        for ((got, want), id) in self.residues.iter().zip(&want.residues).zip(ids) {
            let got = got.chunks_exact(self.hidden_size);
            let want = want.chunks_exact(self.hidden_size);
            for (n, (got, want)) in got.zip(want).enumerate() {
                let pairs = got.iter().zip(want);
                let pairs = pairs.map(|(&got, &want)| (f64::from(got), f64::from(want)));
                tally.add(id, Some(n + 1), pairs);
            }
        }
        tally.agreement()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors, and what numpy says of them: `scripts/golden/parity.py` writes both.
    #[derive(serde::Deserialize)]
    struct Golden {
        hidden_size: usize,
        ids: Vec<String>,
        got: Vec<Vec<f32>>,
        want: Vec<Vec<f32>>,
        got_residues: Vec<Vec<f32>>,
        want_residues: Vec<Vec<f32>>,
        pooled: Expected,
        centred: Expected,
        residues: Expected,
    }

    #[derive(serde::Deserialize)]
    struct Expected {
        least: f64,
        least_id: String,
        least_residue: Option<usize>,
        median: f64,
        largest_difference: f64,
        relative_norm: f64,
    }

    fn check(found: Option<Agreement>, expected: &Expected) {
        let found = found.unwrap();
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        };
        near(found.least, expected.least);
        near(found.median, expected.median);
        near(found.largest_difference, expected.largest_difference);
        near(found.relative_norm, expected.relative_norm);
        assert_eq!(found.least_id, expected.least_id);
        assert_eq!(found.least_residue, expected.least_residue);
    }

    #[test]
    fn figures_are_those_of_numpy() {
        let text = include_str!("../../../tests/golden/parity.json");
        let golden: Golden = serde_json::from_str(text).unwrap();
        let vectors = |pooled: &Vec<Vec<f32>>, residues: &Vec<Vec<f32>>| Vectors {
            pooled: pooled.clone(),
            residues: residues.clone(),
            hidden_size: golden.hidden_size,
        };
        let got = vectors(&golden.got, &golden.got_residues);
        let want = vectors(&golden.want, &golden.want_residues);
        let ids: Vec<&str> = golden.ids.iter().map(String::as_str).collect();
        check(got.pooled_agreement(&want, &ids), &golden.pooled);
        check(got.centred_agreement(&want, &ids), &golden.centred);
        check(got.residue_agreement(&want, &ids), &golden.residues);
    }

    #[test]
    fn one_protein_has_no_mean_to_differ_from() {
        let one = Vectors {
            pooled: vec![vec![1.0, 2.0]],
            residues: vec![vec![1.0, 2.0]],
            hidden_size: 2,
        };
        assert_eq!(one.centred_agreement(&one, &["p"]), None);
        assert_eq!(one.pooled_agreement(&one, &["p"]).unwrap().vectors, 1);
    }
}
