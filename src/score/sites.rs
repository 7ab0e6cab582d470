//! The copies of a wild type in which some of its sites can be looked up.

use super::{copy::Copy, mutation::Mutation, window::window};

/// The sites of a wild type that a method asks for.
pub(super) struct Sites {
    length: usize,
    /// Each once, in order.
    sites: Vec<usize>,
    is_masked: bool,
}

impl Sites {
    /// Those that `variants` mutate.
    pub(super) fn of(length: usize, variants: &[Vec<Mutation>], is_masked: bool) -> Self {
        let mutations = variants.iter().flatten();
        let mut sites: Vec<_> = mutations.map(|mutation| mutation.site as usize).collect();
        sites.sort_unstable();
        sites.dedup();
        Self {
            length,
            sites,
            is_masked,
        }
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
        let variants = [
            vec![mutation(7), mutation(2)],
            vec![mutation(2)],
            Vec::new(),
        ];
        let sites = Sites::of(9, &variants, true);
        let found: Vec<_> = sites.copies().map(|copy| copy.site).collect();
        assert_eq!(found, [2, 7]);
        assert_eq!(Sites::of(9, &variants, false).copies().count(), 1);
        assert_eq!(Sites::of(9, &[Vec::new()], false).copies().count(), 0);
    }
}
