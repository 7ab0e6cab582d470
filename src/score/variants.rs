//! The copies in which every site of every variant is masked once, without those that come twice.
//!
//! A copy whose mask hides the only mutation that the window shows is a copy of the wild type, and so on: each copy
//! belongs to the variant that has no more mutations than it shows. A variant is compared with the wild type site by
//! site, so copies that show no mutation and mask none are not looked at: what they would add, the wild type takes away.

use super::{
    ScoreError,
    asked::Asked,
    copy::{Copy, residue},
    mutant_list::MutantList,
    mutation::Mutation,
    window::window,
};
use crate::cancel::CancelToken;

/// The variants of a protein, and which copies of them are needed.
pub(super) struct Variants {
    length: usize,
    /// The wild type, those that are scored, and those that others come down to where something is hidden.
    all: MutantList,
    /// How many of them are the wild type or scored: all of their sites are masked that leave every mutation to be
    /// seen. Of the others those are masked that others need.
    n_scored: usize,
    /// Where a variant that is scored is looked up in the copy of another one, in the order of the copies.
    borrowed: Vec<Borrowed>,
    /// For each variant that was asked for, the one that it is.
    asked: Vec<usize>,
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

/// So many are sorted in less than a moment.
const SORTED_AT_ONCE: usize = 1 << 16;

impl Variants {
    /// Those of a protein of so many residues.
    ///
    /// # Errors
    /// Somebody tells to stop.
    pub(super) fn new(
        length: usize,
        asked: Asked<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ScoreError> {
        let mut all = MutantList::new();
        all.number(&[]);
        let mut numbers = Vec::new();
        asked.try_each(cancel, |mutations| {
            numbers.push(all.number(mutations));
            Ok(())
        })?;
        let mut found = Self {
            length,
            n_scored: all.len(),
            all,
            borrowed: Vec::new(),
            asked: numbers,
        };
        found.borrow(cancel)?;
        Ok(found)
    }

    /// Finds out who is looked up where, and adds the variants that are missing.
    fn borrow(&mut self, cancel: &CancelToken) -> Result<(), ScoreError> {
        let (mut mutations, mut shown) = (Vec::new(), Vec::new());
        for by in 1..self.n_scored {
            mutations.clear();
            mutations.extend_from_slice(self.all.get(by));
            for site in 0..self.length {
                // There may be as many mutations as sites.
                ScoreError::unless_stopped(cancel)?;
                let is_seen = seen_at(site, self.length);
                shown.clear();
                shown.extend(mutations.iter().copied().filter(is_seen));
                let is_masked = mutations.iter().any(|of| of.site as usize == site);
                let is_own = shown.len() == mutations.len();
                if is_own || (shown.is_empty() && !is_masked) {
                    continue;
                }
                let of = self.all.number(&shown);
                self.borrowed.push(Borrowed { of, site, by });
            }
        }
        sort(&mut self.borrowed, cancel)
    }

    /// The copies, variant by variant and site by site. Where there is no mutation, none is needed.
    pub(super) fn copies(&self) -> impl Iterator<Item = Copy<'_>> {
        let n_variants = match self.all.len() {
            1 => 0,
            n => n,
        };
        let all = self.all.iter().take(n_variants).enumerate();
        all.flat_map(move |(number, mutations)| {
            let sites = self.masked_sites(number, mutations);
            sites.map(move |site| Copy::new(self.length, (number, mutations), site, true))
        })
    }

    /// The sites of a variant that are masked, in order.
    fn masked_sites<'a>(
        &'a self,
        variant: usize,
        mutations: &'a [Mutation],
    ) -> Box<dyn Iterator<Item = usize> + 'a> {
        if variant < self.n_scored {
            let is_own = move |&site: &usize| mutations.iter().all(seen_at(site, self.length));
            return Box::new((0..self.length).filter(is_own));
        }
        let first = self.borrowed.partition_point(|next| next.of < variant);
        let of_it = self.borrowed[first..].iter();
        let of_it = of_it.take_while(move |next| next.of == variant);
        let mut before = None;
        Box::new(of_it.filter_map(move |next| {
            let is_new = before.replace(next.site) != Some(next.site);
            is_new.then_some(next.site)
        }))
    }

    /// The mutations of a variant.
    pub(super) fn residue(&self, variant: usize, sequence: &[u8], site: usize) -> u8 {
        residue(sequence, self.all.get(variant), site)
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
        (1..self.n_scored).contains(&variant)
    }
}

impl Borrowed {
    /// Whether it is looked up in this copy, and by whom.
    pub(super) fn by(&self, copy: &Copy<'_>) -> Option<usize> {
        (self.of == copy.variant && self.site == copy.site).then_some(self.by)
    }
}

/// Which mutations are seen when a site is masked.
fn seen_at(site: usize, length: usize) -> impl Fn(&Mutation) -> bool {
    let window = window(length, site);
    move |mutation| {
        let of = mutation.site as usize;
        of != site && window.contains(&of)
    }
}

/// Sorts what may be very much, until somebody tells to stop.
fn sort(part: &mut [Borrowed], cancel: &CancelToken) -> Result<(), ScoreError> {
    ScoreError::unless_stopped(cancel)?;
    if part.len() <= SORTED_AT_ONCE {
        part.sort_unstable();
        return Ok(());
    }
    let (less, _, more) = part.select_nth_unstable(part.len() / 2);
    sort(less, cancel)?;
    sort(more, cancel)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::StopReason;
    use std::collections::BTreeSet;

    fn mutation(site: u32, to: u8) -> Mutation {
        Mutation { site, to }
    }

    fn of(length: usize, asked: &[Vec<Mutation>]) -> Variants {
        let mut list = MutantList::new();
        asked.iter().for_each(|mutations| {
            list.number(mutations);
        });
        let asked = Asked::Listed(&list);
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
        assert_eq!(variants.asked(&[0.0, 1.0, 2.0, 3.0]), [1.0, 2.0, 0.0]);
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
            let mutations = variants.all.get(by);
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
    fn what_is_very_much_is_sorted_until_somebody_tells_to_stop() {
        let n = 5 * SORTED_AT_ONCE;
        let mut parts: Vec<_> = (0..n)
            .map(|by| Borrowed {
                of: by.wrapping_mul(7919) % 100,
                site: by % 10,
                by,
            })
            .collect();
        let cancel = CancelToken::default();
        sort(&mut parts, &cancel).unwrap();
        assert!(parts.is_sorted());
        cancel.cancel(StopReason::Terminated);
        assert!(matches!(
            sort(&mut parts, &cancel),
            Err(ScoreError::Stopped(StopReason::Terminated))
        ));
    }

    #[test]
    fn nothing_is_computed_for_wild_types() {
        assert_eq!(of(3, &[Vec::new()]).copies().count(), 0);
    }
}
