//! What a model makes of some proteins: a vector for each of them and for each of their residues.

use super::agreement::{Agreement, Tally};
use crate::{
    alphabet::N_SPECIAL_TOKENS, batch::Packer, cancel::CancelToken, error::Error, fasta::Record,
    job::Pooling, model::Model,
};
use std::num::NonZeroUsize;

/// What a model makes of some proteins, in their order.
#[derive(Debug)]
pub(super) struct Vectors {
    /// The mean over the residues of each.
    pub(super) pooled: Vec<Vec<f32>>,
    /// The vectors of the residues of each, one after the other.
    pub(super) residues: Vec<Vec<f32>>,
    pub(super) hidden_size: usize,
}

/// Tokens in a batch. Bits do not depend on it, so it may be so small that every device has room.
const TOKEN_BUDGET: usize = 4096;

impl Vectors {
    /// Embeds the proteins as runs do. `on_step` is told how many are embedded, at first none.
    ///
    /// # Errors
    /// If the device fails, a vector is not finite, or it is told to stop.
    pub(super) fn of(
        model: &Model,
        records: &[Record],
        layer: usize,
        cancel: &CancelToken,
        on_step: &mut dyn FnMut(usize),
    ) -> Result<Self, Error> {
        let lengths = records.iter().map(|record| record.sequence.len());
        let longest = lengths.max().unwrap_or(0) + N_SPECIAL_TOKENS;
        let budget = NonZeroUsize::new(TOKEN_BUDGET.max(longest)).expect("it is not zero");
        let mut packer = Packer::new(budget);
        let hidden_size = model.hidden_size();
        let mut vectors = Self {
            pooled: vec![Vec::new(); records.len()],
            residues: vec![Vec::new(); records.len()],
            hidden_size,
        };
        let mut batches = Vec::new();
        for record in records {
            batches.append(&mut packer.push(record.clone())?);
        }
        batches.append(&mut packer.finish());
        let mut n_embedded = 0;
        on_step(n_embedded);
        for batch in batches {
            if let Some(reason) = cancel.reason() {
                return Err(Error::Stopped(reason));
            }
            let pooled = model.encode(&batch, &[layer], Pooling::Mean)?;
            let tokens = model.encode_tokens(&batch, layer)?;
            let sequences = batch.rows.iter().zip(batch.ranges());
            for ((row, range), pooled) in sequences.zip(pooled.chunks_exact(hidden_size)) {
                let index = row.index as usize;
                // Neither BOS nor EOS is a residue.
                let residues = (range.start + 1) * hidden_size..(range.end - 1) * hidden_size;
                vectors.pooled[index] = pooled.to_vec();
                vectors.residues[index] = tokens[residues].to_vec();
            }
            n_embedded += batch.rows.len();
            on_step(n_embedded);
        }
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
