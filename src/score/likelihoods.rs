//! From the logits of a protein's copies to scores.

use super::{
    answers::Answers,
    asked::{Asked, single_of},
    copies::Copies,
    copy::Copy,
    error::ScoreError,
    mutation::Mutation,
    probabilities::LogProbabilities,
    protein::Protein,
    sites::Sites,
    variants::Variants,
};
use crate::cancel::CancelToken;

/// What the logits of a protein's copies say.
enum Likelihoods {
    /// The log-probabilities at sites of the wild type, in the order of the sites.
    OfSites(Vec<(usize, LogProbabilities)>),
    /// The pseudo-log-likelihoods of the variants that are asked for, less that of the wild type.
    OfVariants(Vec<f64>),
}

/// Reads the logits of the copies of a protein, which come in their order, and does something with each mutant that is
/// asked for and its score: higher is fitter. Of all single mutants no more is held than a site.
///
/// # Errors
/// Logits are missing, others, or cannot be read; that of `each`; or somebody tells to stop.
pub(super) fn try_each_score(
    (copies, asked): (&Copies, Asked<'_>),
    protein: &Protein,
    answers: &mut Answers,
    cancel: &CancelToken,
    mut each: impl FnMut(&[Mutation], f64) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    let sequence = protein.sequence.as_slice();
    let likelihoods = match (copies, asked) {
        (Copies::OfSites(sites), Asked::AllSingle(_)) => {
            return try_each_site(sites, protein, answers, |site, found| {
                let number = u32::try_from(site).unwrap_or(u32::MAX);
                let mut mutations = single_of(number, sequence[site]);
                mutations.try_for_each(|mutation| {
                    let score = score_at(found, sequence[site], mutation);
                    each(&[mutation], score)
                })
            });
        }
        (Copies::OfSites(sites), _) => {
            let mut of_sites = Vec::new();
            try_each_site(sites, protein, answers, |site, found| {
                of_sites.push((site, *found));
                Ok(())
            })?;
            Likelihoods::OfSites(of_sites)
        }
        (Copies::OfVariants(variants), _) => {
            Likelihoods::OfVariants(of_variants(variants, protein, answers)?)
        }
    };
    let mut number = 0;
    asked.try_each(cancel, |mutations| {
        let score = likelihoods.score(sequence, number, mutations);
        number += 1;
        each(mutations, score)
    })
}

/// Reads the logits of the copies of a protein, and gives its pseudo-log-likelihood: the log-probabilities of its
/// residues, summed up.
///
/// # Errors
/// As [`try_each_score`].
pub(super) fn of_wild_type(
    copies: &Copies,
    protein: &Protein,
    answers: &mut Answers,
) -> Result<f64, ScoreError> {
    let Copies::OfSites(sites) = copies else {
        return Ok(f64::NAN);
    };
    let mut sum = 0.0;
    try_each_site(sites, protein, answers, |site, found| {
        sum += found.residue(protein.sequence[site]);
        Ok(())
    })?;
    Ok(sum)
}

impl Likelihoods {
    /// The score of a mutant, which is that of this number among those that are asked for.
    fn score(&self, sequence: &[u8], number: usize, mutations: &[Mutation]) -> f64 {
        match self {
            Self::OfVariants(scores) => scores[number],
            Self::OfSites(sites) => {
                let of = |&mutation: &Mutation| {
                    let site = mutation.site as usize;
                    let found = sites.binary_search_by_key(&site, |(site, _)| *site);
                    found.map_or(f64::NAN, |at| {
                        score_at(&sites[at].1, sequence[site], mutation)
                    })
                };
                mutations.iter().map(of).sum()
            }
        }
    }
}

fn score_at(found: &LogProbabilities, from: u8, mutation: Mutation) -> f64 {
    found.residue(mutation.to) - found.residue(from)
}

/// Reads the logits of copies of a wild type, and does something with the log-probabilities at each site, in order.
fn try_each_site(
    sites: &Sites,
    protein: &Protein,
    answers: &mut Answers,
    mut each: impl FnMut(usize, &LogProbabilities) -> Result<(), ScoreError>,
) -> Result<(), ScoreError> {
    for copy in sites.copies() {
        answers.next(protein.number, &copy)?;
        for site in sites.seen_in(&copy) {
            each(site, &answers.at(&copy, site)?)?;
        }
    }
    Ok(())
}

fn of_variants(
    variants: &Variants,
    protein: &Protein,
    answers: &mut Answers,
) -> Result<Vec<f64>, ScoreError> {
    let sequence = protein.sequence.as_slice();
    // What the wild type's own residues have, which comes first.
    let mut wild_type = vec![f64::NAN; sequence.len()];
    let mut scores = vec![0.0; variants.len()];
    let mut borrowed = variants.borrowed().iter().peekable();
    for copy in variants.copies() {
        answers.next(protein.number, &copy)?;
        let Copy { variant, site, .. } = copy;
        let found = answers.at(&copy, site)?;
        if variant == 0 {
            wild_type[site] = found.residue(sequence[site]);
        }
        let of = |variant: usize| {
            found.residue(variants.residue(variant, sequence, site)) - wild_type[site]
        };
        if variants.is_scored(variant) {
            scores[variant] += of(variant);
        }
        while let Some(by) = borrowed.peek().and_then(|next| next.by(&copy)) {
            scores[by] += of(by);
            borrowed.next();
        }
    }
    Ok(variants.asked(&scores))
}
