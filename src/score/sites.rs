//! The copies of a wild type in which some of its sites can be looked up.

use super::{ScoreError, asked::Asked, copy::Copy, window::window};
use crate::cancel::CancelToken;

/// The sites of a wild type that a method asks for.
pub(super) struct Sites {
    length: usize,
    /// Each once, in order.
    sites: Vec<usize>,
    is_masked: bool,
}

impl Sites {
    /// Those that mutants mutate.
    ///
    /// # Errors
    /// Somebody tells to stop.
    pub(super) fn of(
        length: usize,
        asked: Asked<'_>,
        is_masked: bool,
        cancel: &CancelToken,
    ) -> Result<Self, ScoreError> {
        let mut is_mutated = vec![false; length];
        asked.try_each(cancel, |mutations| {
            let sites = mutations.iter().map(|mutation| mutation.site as usize);
            sites.for_each(|site| is_mutated[site] = true);
            Ok(())
        })?;
        Ok(Self {
            length,
            sites: (0..length).filter(|site| is_mutated[*site]).collect(),
            is_masked,
        })
    }

    /// All of them.
    pub(super) fn all(length: usize, is_masked: bool) -> Self {
        Self {
            length,
            sites: (0..length).collect(),
            is_masked,
        }
    }

    /// A copy for each site, or, where nothing is masked, for each window.
    pub(super) fn copies(&self) -> impl Iterator<Item = Copy<'static>> {
        let begins = |index: usize| window(self.length, self.sites[index]).start;
        let is_needed = move |&index: &usize| {
            self.is_masked || index == 0 || begins(index) != begins(index - 1)
        };
        let needed = (0..self.sites.len()).filter(is_needed);
        needed.map(|index| Copy::new(self.length, (0, &[]), self.sites[index], self.is_masked))
    }

    /// The sites that are looked up in a copy.
    pub(super) fn seen_in(&self, copy: &Copy<'_>) -> impl Iterator<Item = usize> {
        let from = self.sites.partition_point(|&site| site < copy.site);
        let (start, is_masked) = (copy.window.start, self.is_masked);
        let sites = self.sites[from..].iter().copied();
        let length = self.length;
        sites.take_while({
            let first = copy.site;
            move |&site| match is_masked {
                true => site == first,
                false => window(length, site).start == start,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{mutant_list::MutantList, mutation::Mutation};

    #[test]
    fn every_site_is_seen_once() {
        for length in [5, 1022, 2500] {
            for is_masked in [true, false] {
                let sites = Sites::all(length, is_masked);
                let copies: Vec<_> = sites.copies().collect();
                let expect = match is_masked {
                    true => length,
                    // Windows with another beginning.
                    false => length.saturating_sub(1022) + 1,
                };
                assert_eq!(copies.len(), expect, "{length} {is_masked}");
                let seen: Vec<_> = copies.iter().flat_map(|copy| sites.seen_in(copy)).collect();
                assert_eq!(seen, (0..length).collect::<Vec<_>>());
                let is_inside = |copy: &Copy<'_>| {
                    let mut seen = sites.seen_in(copy);
                    seen.all(|site| copy.window.contains(&site))
                };
                assert!(copies.iter().all(is_inside));
            }
        }
    }

    #[test]
    fn only_mutated_sites_are_asked_for() {
        let mutation = |site| Mutation { site, to: b'A' };
        let mut list = MutantList::new();
        list.number(&[mutation(7), mutation(2)]);
        list.number(&[mutation(2)]);
        let mut wild_type = MutantList::new();
        wild_type.number(&[]);
        let of = |list, is_masked| {
            let found = Sites::of(9, Asked::Listed(list), is_masked, &CancelToken::default());
            let sites = found.unwrap();
            sites.copies().map(|copy| copy.site).collect::<Vec<_>>()
        };
        assert_eq!(of(&list, true), [2, 7]);
        assert_eq!(of(&list, false).len(), 1);
        assert_eq!(of(&wild_type, false).len(), 0);
        let all = Asked::AllSingle(b"MXKTVAAAA");
        let found = Sites::of(9, all, true, &CancelToken::default()).unwrap();
        let found: Vec<_> = found.copies().map(|copy| copy.site).collect();
        assert_eq!(found, [0, 2, 3, 4, 5, 6, 7, 8]);
    }
}
