//! A hash of all that a table of scores is made of.

use super::{
    mutation::Mutation,
    protein::{Protein, Rejected},
};

/// A hash of all that a table of scores is made of: another table has another one. What is in it is taken apart here
/// without leaving anything out by accident.
pub(super) struct Contents(blake3::Hasher);

impl Contents {
    /// Nothing yet, of plans of a version and scores of a method.
    pub(super) fn new(version: u8, method: &str) -> Self {
        let mut contents = Self(blake3::Hasher::new());
        contents.0.update(&[version]);
        contents.text(method.as_bytes());
        contents
    }

    /// A text, with its length, so that no two sequences of texts are the same.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    /// A number.
    pub(super) fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// A mutant, by its mutations.
    pub(super) fn mutant(&mut self, mutations: &[Mutation]) {
        self.number(mutations.len() as u64);
        for &Mutation { site, to } in mutations {
            self.number(u64::from(site));
            self.0.update(&[to]);
        }
    }

    /// A protein.
    pub(super) fn protein(&mut self, protein: &Protein) {
        let Protein {
            number,
            id,
            sequence,
            n_residues,
            is_truncated,
        } = protein;
        self.number(*number);
        self.text(id.as_bytes());
        self.text(sequence);
        self.number(u64::from(*n_residues));
        self.number(u64::from(*is_truncated));
    }

    /// A record that a rule rejected.
    pub(super) fn rejected(&mut self, rejected: &Rejected) {
        let Rejected { ordinal, rejection } = rejected;
        self.number(*ordinal);
        self.text(rejection.id.as_bytes());
        self.text(rejection.reason.as_bytes());
    }

    /// The hash.
    pub(super) fn hash(&self) -> blake3::Hash {
        self.0.finalize()
    }
}
