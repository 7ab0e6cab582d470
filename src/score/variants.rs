//! The copies in which every site of every variant is masked once, without those that come twice.
//!
//! A copy whose mask hides the only mutation that the window shows is a copy of the wild type, and so on: each copy
//! belongs to the variant that has no more mutations than it shows. A variant is compared with the wild type site by
//! site, so copies that show no mutation and mask none are not looked at: what they would add, the wild type takes away.

use super::{
    ScoreError,
    copy::{Copy, residue},
    mutation::Mutation,
    window::window,
};
use crate::cancel::CancelToken;
use std::collections::HashMap;

/// The variants of a protein, and which copies of them are needed.
pub(super) struct Variants {
    length: usize,
    /// The wild type, those that are scored, and those that others come down to where something is hidden.
    all: Vec<Variant>,
    /// Where a variant that is scored is looked up in the copy of another one, in the order of the copies.
    borrowed: Vec<Borrowed>,
    /// For each variant that was asked for, the one that it is.
    asked: Vec<usize>,
}

struct Variant {
    mutations: Vec<Mutation>,
    sites: MaskedSites,
}

enum MaskedSites {
    /// All that leave every mutation to be seen.
    Own,
    /// Those that others need, in order.
    Some(Vec<usize>),
}

/// A site at which a variant is looked up in the copy of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Borrowed {
    /// The variant whose copy it is.
    of: usize,
    site: usize,
    /// The variant that is looked up.
    by: usize,
}

impl Variants {
    /// Those of a protein of so many residues.
    ///
    /// # Errors
    /// Somebody tells to stop.
    pub(super) fn new(
        length: usize,
        asked: &[Vec<Mutation>],
        cancel: &CancelToken,
    ) -> Result<Self, ScoreError> {
        let mut all = vec![Variant {
            mutations: Vec::new(),
            sites: MaskedSites::Own,
        }];
        let mut numbers = HashMap::from([(Vec::new(), 0)]);
        let numbered = |mutations: &Vec<Mutation>| {
            *numbers.entry(mutations.clone()).or_insert_with(|| {
                all.push(Variant {
                    mutations: mutations.clone(),
                    sites: MaskedSites::Own,
                });
                all.len() - 1
            })
        };
        let asked: Vec<usize> = asked.iter().map(numbered).collect();
        let mut found = Self {
            length,
            all,
            borrowed: Vec::new(),
            asked,
        };
        found.borrow(&mut numbers, cancel)?;
        Ok(found)
    }

    /// Finds out who is looked up where, and adds the variants that are missing.
    fn borrow(
        &mut self,
        numbers: &mut HashMap<Vec<Mutation>, usize>,
        cancel: &CancelToken,
    ) -> Result<(), ScoreError> {
        let n_scored = self.all.len();
        for by in 1..n_scored {
            ScoreError::unless_stopped(cancel)?;
            for site in 0..self.length {
                let mutations = &self.all[by].mutations;
                let shown = shown(mutations, self.length, site);
                let is_masked = mutations.iter().any(|of| of.site as usize == site);
                let is_own = shown.len() == mutations.len();
                if is_own || (shown.is_empty() && !is_masked) {
                    continue;
                }
                let of = *numbers.entry(shown).or_insert_with_key(|mutations| {
                    self.all.push(Variant {
                        mutations: mutations.clone(),
                        sites: MaskedSites::Some(Vec::new()),
                    });
                    self.all.len() - 1
                });
                if let MaskedSites::Some(sites) = &mut self.all[of].sites {
                    sites.push(site);
                }
                self.borrowed.push(Borrowed { of, site, by });
            }
        }
        for variant in &mut self.all {
            if let MaskedSites::Some(sites) = &mut variant.sites {
                sites.sort_unstable();
                sites.dedup();
            }
        }
        self.borrowed.sort_unstable();
        Ok(())
    }

    /// The copies, variant by variant and site by site. Where there is no mutation, none is needed.
    pub(super) fn copies(&self) -> impl Iterator<Item = Copy<'_>> {
        let n_variants = match self.all.len() {
            1 => 0,
            n => n,
        };
        let all = self.all[..n_variants].iter().enumerate();
        all.flat_map(move |(number, variant)| {
            let mutations = variant.mutations.as_slice();
            variant
                .masked_sites(self.length)
                .map(move |site| Copy::new(self.length, (number, mutations), site, true))
        })
    }

    /// The mutations of a variant.
    pub(super) fn residue(&self, variant: usize, sequence: &[u8], site: usize) -> u8 {
        residue(sequence, &self.all[variant].mutations, site)
    }

    /// Who is looked up in other copies, in the order of the copies.
    pub(super) fn borrowed(&self) -> &[Borrowed] {
        &self.borrowed
    }

    /// How many variants there are, with the wild type.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Of the scores of all variants those that were asked for.
    pub(super) fn asked(&self, scores: &[f64]) -> Vec<f64> {
        self.asked.iter().map(|&variant| scores[variant]).collect()
    }

    /// Whether a variant is scored by its own copies.
    pub(super) fn is_scored(&self, variant: usize) -> bool {
        variant > 0 && matches!(self.all[variant].sites, MaskedSites::Own)
    }
}

impl Borrowed {
    /// Whether it is looked up in this copy, and by whom.
    pub(super) fn by(&self, copy: &Copy<'_>) -> Option<usize> {
        (self.of == copy.variant && self.site == copy.site).then_some(self.by)
    }
}

impl Variant {
    fn masked_sites(&self, length: usize) -> Box<dyn Iterator<Item = usize> + '_> {
        match &self.sites {
            MaskedSites::Some(sites) => Box::new(sites.iter().copied()),
            MaskedSites::Own => {
                let is_own = move |&site: &usize| {
                    let window = window(length, site);
                    let mut mutations = self.mutations.iter();
                    mutations.all(|mutation| {
                        let of = mutation.site as usize;
                        of != site && window.contains(&of)
                    })
                };
                Box::new((0..length).filter(is_own))
            }
        }
    }
}

/// The mutations that are seen when a site is masked.
fn shown(mutations: &[Mutation], length: usize, site: usize) -> Vec<Mutation> {
    let window = window(length, site);
    let is_shown = |mutation: &&Mutation| {
        let of = mutation.site as usize;
        of != site && window.contains(&of)
    };
    mutations.iter().filter(is_shown).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn mutation(site: u32, to: u8) -> Mutation {
        Mutation { site, to }
    }

    fn of(length: usize, asked: &[Vec<Mutation>]) -> Variants {
        Variants::new(length, asked, &CancelToken::default()).unwrap()
    }

    /// The copies that are needed, as texts, each once.
    fn texts(variants: &Variants, sequence: &[u8]) -> Vec<String> {
        let copies = variants.copies().map(|copy| {
            let mut text = Vec::new();
            copy.write(1, sequence, &mut text);
            let text = String::from_utf8(text).unwrap();
            text.split_once('\n').unwrap().1.trim_end().to_owned()
        });
        copies.collect()
    }

    #[test]
    fn no_copy_comes_twice() {
        let single = vec![mutation(1, b'A')];
        let double = vec![mutation(0, b'P'), mutation(1, b'A')];
        let variants = of(3, &[single.clone(), double, single, Vec::new()]);
        let found = texts(&variants, b"MKT");
        let expect = [
            "<mask>KT", "M<mask>T", "MK<mask>", // the wild type
            "<mask>AT", "MA<mask>", // K2A, whose mask of site 2 the wild type has
            "PA<mask>", // M1P:K2A, whose mask of site 1 K2A has
            "P<mask>T", // what is left of it when site 2 is masked
        ];
        assert_eq!(found, expect);
        let different: BTreeSet<_> = found.iter().collect();
        assert_eq!(different.len(), found.len());
        assert_eq!(variants.asked(&[0.0, 1.0, 2.0, 3.0]), [1.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn every_site_that_differs_is_looked_up_once() {
        let length = 1500;
        let asked = [
            vec![mutation(3, b'A')],
            vec![mutation(3, b'A'), mutation(1400, b'C')],
        ];
        let variants = of(length, &asked);
        let copies: Vec<_> = variants.copies().collect();
        let ids: BTreeSet<_> = copies.iter().map(|copy| copy.id(1)).collect();
        assert_eq!(ids.len(), copies.len());
        for by in [1, 2] {
            let own = copies.iter().filter(|copy| copy.variant == by);
            let own = own.map(|copy| copy.site);
            let others = variants.borrowed().iter().filter(|of| of.by == by);
            let mut seen: Vec<_> = own.chain(others.map(|of| of.site)).collect();
            seen.sort_unstable();
            let mutations = &variants.all[by].mutations;
            let differs = |&site: &usize| {
                let window = window(length, site);
                mutations
                    .iter()
                    .any(|of| window.contains(&(of.site as usize)))
            };
            assert_eq!(
                seen,
                (0..length).filter(differs).collect::<Vec<_>>(),
                "{by}"
            );
        }
        // Each is looked up in a copy that there is.
        let has = |of: &Borrowed| copies.iter().any(|copy| of.by(copy).is_some());
        assert!(variants.borrowed().iter().all(has));
    }

    #[test]
    fn nothing_is_computed_for_wild_types() {
        assert_eq!(of(3, &[Vec::new()]).copies().count(), 0);
    }
}
