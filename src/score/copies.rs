//! The sequences that a model has to see of a protein, each once.

use super::{ScoreError, asked::Asked, copy::Copy, sites::Sites, variants::Variants};
use crate::{
    cancel::CancelToken,
    job::{PerplexityMethod, ScoreMethod, ScoreQuestion},
};

/// What a method needs of a protein.
pub(super) enum Copies {
    /// Some sites of the wild type.
    OfSites(Sites),
    /// All sites of all variants.
    OfVariants(Variants),
}

impl Copies {
    /// What is needed to answer a question about mutants of a protein, or about all of its sites.
    ///
    /// # Errors
    /// Somebody tells to stop.
    pub(super) fn new(
        question: &ScoreQuestion,
        length: usize,
        asked: Asked<'_>,
        cancel: &CancelToken,
    ) -> Result<Self, ScoreError> {
        Ok(match question {
            ScoreQuestion::Mutants(_, ScoreMethod::PseudoLikelihood) => {
                Self::OfVariants(Variants::new(length, asked, cancel)?)
            }
            ScoreQuestion::Mutants(_, method) => {
                let is_masked = *method == ScoreMethod::MaskedMarginals;
                Self::OfSites(Sites::of(length, asked, is_masked, cancel)?)
            }
            ScoreQuestion::Perplexity(_, method) => {
                Self::OfSites(Sites::all(length, *method == PerplexityMethod::Exact))
            }
        })
    }

    /// Does something with each copy, in the order of the plan.
    ///
    /// # Errors
    /// That of the first time that it fails.
    pub(super) fn try_each<E>(&self, each: impl FnMut(Copy<'_>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::OfSites(sites) => sites.copies().try_for_each(each),
            Self::OfVariants(variants) => variants.copies().try_for_each(each),
        }
    }
}
