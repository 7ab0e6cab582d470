//! How large matrices of contacts can be.

use super::{Dataset, EmbedOptions, LongSequences, Problems, Question};
use crate::alphabet::N_SPECIAL_TOKENS;

/// Residues whose pairs are counted in 31 bits, as Arrow counts the numbers of lists.
const MOST_PAIRED_RESIDUES: usize = 46_340;

/// Adds what is wrong with asking for matrices of so long sequences. Of records that are embedded whole, those that are
/// too long are rejected.
pub(super) fn check(
    dataset: &mut Dataset,
    options: &EmbedOptions,
    question: &Question,
    problems: &mut Problems,
) {
    if !question.has_all_pairs() {
        return;
    }
    let most_tokens = MOST_PAIRED_RESIDUES + N_SPECIAL_TOKENS;
    if let Some(budget) = options.token_budget
        && budget.get() > most_tokens
    {
        problems.add_option(
            "token_budget",
            format!(
                "`token_budget` is {budget}, and matrices of contacts have room for batches of {most_tokens}"
            ),
            Some("lower it, or list pairs: `threshold`".to_owned()),
        );
    }
    let policy = &mut dataset.policy;
    match &mut policy.long_sequences {
        LongSequences::Window(_) => {}
        LongSequences::Full(room) => *room = (*room).min(MOST_PAIRED_RESIDUES),
        others => {
            let limit = others.limit();
            let longest = policy.max_length.map_or(limit, |n| n.min(limit));
            if longest > MOST_PAIRED_RESIDUES {
                problems.add_option(
                    "contacts",
                    format!(
                        "the dataset lets sequences of {longest} residues through, and matrices of contacts have \
                         room for {MOST_PAIRED_RESIDUES}"
                    ),
                    Some(format!(
                        "list pairs, `threshold`; or shorten sequences with `.long_sequences(\"{}\", \
                         {MOST_PAIRED_RESIDUES})`",
                        others.name()
                    )),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{EmbedPlan, OptionMap};
    use std::num::NonZeroUsize;

    #[test]
    fn matrices_have_a_largest_size() {
        let contacts = EmbedOptions {
            contacts: true,
            ..EmbedOptions::default()
        };
        let dataset = |how: &str, limit: Option<i64>| {
            let dataset = Dataset::new(vec!["a.fa".to_owned()]);
            dataset
                .long_sequences(how, limit, OptionMap::new())
                .unwrap()
        };
        let plan = |dataset, options: &EmbedOptions| EmbedPlan::new(dataset, options.clone(), 6);
        let limit = |options: &EmbedOptions| {
            let plan = plan(dataset("full", None), options).unwrap();
            plan.dataset().policy.long_sequences.limit()
        };
        assert_eq!(limit(&contacts), MOST_PAIRED_RESIDUES);
        let pairs = EmbedOptions {
            threshold: Some(0.3),
            ..contacts.clone()
        };
        assert!(limit(&pairs) > MOST_PAIRED_RESIDUES);
        plan(dataset("truncate", Some(46_340)), &contacts).unwrap();
        let refused = plan(dataset("truncate", Some(46_341)), &contacts);
        assert_eq!(
            refused.unwrap_err().0[0].option.as_deref(),
            Some("contacts")
        );
        let large = EmbedOptions {
            token_budget: NonZeroUsize::new(60_000),
            ..contacts
        };
        let refused = plan(dataset("full", None), &large);
        assert_eq!(
            refused.unwrap_err().0[0].option.as_deref(),
            Some("token_budget")
        );
    }
}
