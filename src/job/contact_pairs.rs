//! Which pairs of residues an output lists as contacts.

use super::{EmbedOptions, OutputFormat, OutputTarget, Problems};

/// Which pairs of residues an output lists as contacts, instead of the probabilities of all pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContactPairs {
    /// The least probability.
    pub threshold: f32,
    /// The least difference of the residues' numbers: what is close along the chain is in contact anyhow.
    pub min_separation: usize,
}

// A threshold is a number.
impl Eq for ContactPairs {}

/// Numbers that a pair is told in: of both residues, from 1 on, and the probability.
pub const NUMBERS_OF_A_PAIR: usize = 3;

impl ContactPairs {
    /// Whether pairs that are so probable are listed. What is no number is, so that it is found.
    pub fn keeps(&self, probability: f32) -> bool {
        probability >= self.threshold || probability.is_nan()
    }

    /// The pairs among the probabilities of a sequence of n residues, `[n, n]`, row by row: `i`, `j` and the
    /// probability of each, one after the other, with i < j and in rising order. What is no number is listed, so
    /// that it is found.
    pub fn list(&self, probabilities: &[f32]) -> Vec<f32> {
        let n = probabilities.len().isqrt();
        let mut pairs = Vec::new();
        for (i, row) in probabilities.chunks_exact(n.max(1)).enumerate() {
            for (j, &probability) in row.iter().enumerate().skip(i + self.min_separation.max(1)) {
                if self.keeps(probability) {
                    // Residues of a sequence in the millions are counted in f32.
                    pairs.extend([(i + 1) as f32, (j + 1) as f32, probability]);
                }
            }
        }
        pairs
    }
}

/// Adds what is wrong with options about pairs.
pub(super) fn check(options: &EmbedOptions, problems: &mut Problems) {
    if options.threshold.is_none() {
        if options.min_separation != EmbedOptions::default().min_separation {
            problems.add_option(
                "min_separation",
                "`min_separation` is of no use without `threshold`".to_owned(),
                Some(
                    "`threshold: 0.3` lists pairs; without one, whole matrices are written"
                        .to_owned(),
                ),
            );
        }
        return;
    }
    if !options.contacts {
        problems.add_option(
            "threshold",
            "`threshold` is of no use without `contacts`".to_owned(),
            Some(
                "`contacts: true` asks for contacts; figures that hold a run back have `thresholds`"
                    .to_owned(),
            ),
        );
    }
    let output = options.output.as_deref().map(OutputTarget::of);
    // Scikit-bio's HDF5 has no place for any contacts, which is said where vectors are looked at.
    let others = [
        OutputFormat::Parquet,
        OutputFormat::Arrow,
        OutputFormat::Embed,
    ];
    if let Some(Ok(target)) = output
        && !others.contains(&target.format)
    {
        problems.add_option(
            "output",
            format!("pairs of residues cannot be written as {}", target.format.title()),
            Some(
                "write `.parquet`, of which `contact_table` makes CSV, or `.arrow`; or leave `threshold` out, and \
                 have the whole matrices"
                    .to_owned(),
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn options_of_pairs_need_contacts_and_a_table() {
        let at_fault = |options: &EmbedOptions| {
            let mut problems = Problems::default();
            check(options, &mut problems);
            let options = problems.0.into_iter().filter_map(|problem| problem.option);
            options.collect::<Vec<_>>()
        };
        let problems = |contacts, output: &str| {
            at_fault(&EmbedOptions {
                contacts,
                threshold: Some(0.3),
                output: Some(output.into()),
                ..EmbedOptions::default()
            })
        };
        let whole = EmbedOptions {
            contacts: true,
            ..EmbedOptions::default()
        };
        assert_eq!(at_fault(&whole), [""; 0]);
        let far = EmbedOptions {
            min_separation: NonZeroUsize::MIN,
            ..whole
        };
        assert_eq!(at_fault(&far), ["min_separation"]);
        assert_eq!(problems(true, "pairs.parquet"), [""; 0]);
        assert_eq!(problems(true, "pairs/"), [""; 0]);
        assert_eq!(problems(true, "pairs.arrow"), [""; 0]);
        assert_eq!(problems(true, "pairs.h5"), ["output"]);
        assert_eq!(problems(false, "pairs.parquet"), ["threshold"]);
    }

    #[test]
    fn pairs_are_listed_once_from_one_on() {
        #[rustfmt::skip]
        let map = [
            1.0, 0.9, 0.3, 0.2,
            0.9, 1.0, 0.8, f32::NAN,
            0.3, 0.8, 1.0, 0.7,
            0.2, f32::NAN, 0.7, 1.0,
        ];
        let pairs = |threshold, min_separation| {
            let rule = ContactPairs {
                threshold,
                min_separation,
            };
            let list = rule.list(&map);
            let pairs = list.as_chunks::<NUMBERS_OF_A_PAIR>().0.iter();
            pairs
                .map(|[i, j, p]| format!("{i}-{j}:{p}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(pairs(0.3, 2), "1-3:0.3 2-4:NaN");
        assert_eq!(pairs(0.75, 1), "1-2:0.9 2-3:0.8 2-4:NaN");
        assert_eq!(pairs(0.0, 3), "1-4:0.2");
        assert_eq!(pairs(0.0, 4), "");
    }
}
