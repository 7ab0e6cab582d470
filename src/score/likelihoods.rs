//! From the logits of a protein's copies to scores.

use super::{
    answers::Answers, copies::Copies, copy::Copy, error::ScoreError, mutation::Mutation,
    probabilities::LogProbabilities, protein::Protein, sites::Sites, variants::Variants,
};

/// What the logits of a protein's copies say.
pub(super) enum Likelihoods {
    /// The log-probabilities at sites of the wild type.
    OfSites(Vec<Option<LogProbabilities>>),
    /// The pseudo-log-likelihoods of variants, less that of the wild type.
    OfVariants(Vec<f64>),
}

impl Likelihoods {
    /// Reads the logits of the copies of a protein, which come in their order.
    ///
    /// # Errors
    /// They are missing, others, or cannot be read.
    pub(super) fn read(
        copies: &Copies,
        protein: &Protein,
        answers: &mut Answers,
    ) -> Result<Self, ScoreError> {
        Ok(match copies {
            Copies::OfSites(sites) => Self::OfSites(of_sites(sites, protein, answers)?),
            Copies::OfVariants(variants) => {
                Self::OfVariants(of_variants(variants, protein, answers)?)
            }
        })
    }

    /// The score of each variant: higher is fitter.
    pub(super) fn scores(&self, sequence: &[u8], variants: &[Vec<Mutation>]) -> Vec<f64> {
        match self {
            Self::OfVariants(scores) => scores.clone(),
            Self::OfSites(sites) => {
                let of = |mutation: &Mutation| {
                    let site = mutation.site as usize;
                    let found = sites[site].as_ref();
                    found.map_or(f64::NAN, |found| {
                        found.residue(mutation.to) - found.residue(sequence[site])
                    })
                };
                let score = |mutations: &Vec<Mutation>| mutations.iter().map(of).sum();
                variants.iter().map(score).collect()
            }
        }
    }

    /// The pseudo-log-likelihood of the wild type: the log-probabilities of its residues, summed up.
    pub(super) fn of_wild_type(&self, sequence: &[u8]) -> f64 {
        match self {
            Self::OfVariants(_) => f64::NAN,
            Self::OfSites(sites) => {
                let sites = sites.iter().zip(sequence);
                let of = |(site, &residue): (&Option<LogProbabilities>, &u8)| {
                    let site = site.as_ref();
                    site.map_or(f64::NAN, |site| site.residue(residue))
                };
                sites.map(of).sum()
            }
        }
    }
}

fn of_sites(
    sites: &Sites,
    protein: &Protein,
    answers: &mut Answers,
) -> Result<Vec<Option<LogProbabilities>>, ScoreError> {
    let mut found = vec![None; protein.sequence.len()];
    for copy in sites.copies() {
        answers.next(protein.number, &copy)?;
        for site in sites.seen_in(&copy) {
            found[site] = Some(answers.at(&copy, site)?);
        }
    }
    Ok(found)
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
