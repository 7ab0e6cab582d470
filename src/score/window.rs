//! The part of a long protein that a model sees.

use crate::job::LongSequences;
use std::ops::Range;

/// The residues that a model sees when it is asked for one `site`, from 0, of a protein of `length`: all, or as many
/// as ESM-2 was trained on, with the site in their middle where the ends of the protein let it.
pub(super) fn window(length: usize, site: usize) -> Range<usize> {
    let most = LongSequences::TRAINED_RESIDUES;
    let latest = length.saturating_sub(most);
    let start = site.saturating_sub(most / 2).min(latest);
    start..length.min(start + most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_in_the_middle_where_that_can_be() {
        let check = |length: usize, site: usize, expect: Range<usize>| {
            assert_eq!(window(length, site), expect, "{site} of {length}");
        };
        check(1022, 0, 0..1022);
        check(1022, 1021, 0..1022);
        check(3, 2, 0..3);
        check(3000, 0, 0..1022);
        check(3000, 511, 0..1022);
        check(3000, 512, 1..1023);
        check(3000, 1500, 989..2011);
        check(3000, 2488, 1977..2999);
        check(3000, 2489, 1978..3000);
        check(3000, 2999, 1978..3000);
    }
}
