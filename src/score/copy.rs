//! A sequence that a model has to see.

use super::{mutation::Mutation, window::window};
use crate::alphabet::{N_SPECIAL_TOKENS, RESIDUES};
use std::ops::Range;

/// A sequence that a model has to see: a part of a variant of a protein, in which one site is masked or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy<'a> {
    /// The variant's number; that of the wild type is 0.
    pub(super) variant: usize,
    /// What is mutated in it.
    pub(super) mutations: &'a [Mutation],
    /// The site that is masked, or, where none is, one in the middle of the window.
    pub(super) site: usize,
    pub(super) is_masked: bool,
    pub(super) window: Range<usize>,
}

/// What a residue outside of the alphabet is written as: another one, so that a stop at the end of a window is not
/// taken for the end of a protein.
const UNKNOWN: u8 = b'J';

impl<'a> Copy<'a> {
    /// The copy of a variant of a protein of so many residues that is asked for one site.
    pub(super) fn new(
        length: usize,
        (variant, mutations): (usize, &'a [Mutation]),
        site: usize,
        is_masked: bool,
    ) -> Self {
        Self {
            variant,
            mutations,
            site,
            is_masked,
            window: window(length, site),
        }
    }

    /// What it is called in the plan: the number of its protein, from 1, that of its variant, and that of the
    /// masked site, from 1; of a copy without a mask, `-` and where its window begins.
    pub(super) fn id(&self, protein: u64) -> String {
        let place = match self.is_masked {
            true => (self.site + 1).to_string(),
            false => format!("-{}", self.window.start + 1),
        };
        format!("{protein}.{}.{place}", self.variant)
    }

    /// Appends it as a FASTA record.
    pub(super) fn write(&self, protein: u64, sequence: &[u8], text: &mut Vec<u8>) {
        text.push(b'>');
        text.extend_from_slice(self.id(protein).as_bytes());
        text.push(b'\n');
        for site in self.window.clone() {
            if self.is_masked && site == self.site {
                text.extend_from_slice(b"<mask>");
                continue;
            }
            let residue = residue(sequence, self.mutations, site);
            let is_known = RESIDUES.contains(&residue);
            text.push(if is_known { residue } else { UNKNOWN });
        }
        text.push(b'\n');
    }

    /// Tokens of it.
    pub(super) fn tokens(&self) -> u64 {
        (self.window.len() + N_SPECIAL_TOKENS) as u64
    }
}

/// The residue of a variant at a site.
pub(super) fn residue(sequence: &[u8], mutations: &[Mutation], site: usize) -> u8 {
    let mut mutations = mutations.iter();
    let mutation = mutations.find(|mutation| mutation.site as usize == site);
    mutation.map_or(sequence[site], |mutation| mutation.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_records() {
        let mutations = [Mutation { site: 3, to: b'P' }];
        let check = |site: usize, is_masked: bool, expect: &str| {
            let copy = Copy::new(5, (2, &mutations), site, is_masked);
            let mut text = Vec::new();
            copy.write(7, b"MKTV*", &mut text);
            assert_eq!(String::from_utf8(text).unwrap(), expect);
            assert_eq!(copy.tokens(), 7);
        };
        check(1, true, ">7.2.2\nM<mask>TPJ\n");
        check(3, true, ">7.2.4\nMKT<mask>J\n");
        check(0, false, ">7.2.-1\nMKTPJ\n");
    }
}
