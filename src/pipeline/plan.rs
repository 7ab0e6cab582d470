//! What a run does, once the model is known.

use crate::{
    batch::N_FRAME_TOKENS,
    job::{Dataset, EmbedOptions, Problems},
    model::Model,
};
use std::num::NonZeroUsize;

/// What a run does, once the model is known.
pub(super) struct Plan {
    /// Tokens that a batch may hold.
    pub(super) token_budget: NonZeroUsize,
    /// Indices of hidden states, in output order.
    pub(super) layers: Vec<usize>,
}

/// The most tokens that a batch holds unless the script asks for more. Only one protein in millions
/// is longer.
const LARGEST_DEFAULT_BUDGET: usize = 65_536;

impl Plan {
    /// Joins what the script asked for with what the model has.
    ///
    /// # Errors
    /// If the model has no such layer, or a layer is named twice.
    pub(super) fn new(
        model: &Model,
        dataset: &Dataset,
        options: &EmbedOptions,
    ) -> Result<Self, Problems> {
        // The default holds the longest sequence that the dataset lets through, within reason: a
        // limit of a billion residues must not make the packer collect billions of tokens.
        let longest = dataset.policy.long_sequences.limit();
        let longest = longest.min(LARGEST_DEFAULT_BUDGET - N_FRAME_TOKENS) + N_FRAME_TOKENS;
        let default = model.default_token_budget().max(longest);
        let default = NonZeroUsize::new(default).expect("a model's default is not zero");
        Ok(Self {
            token_budget: options.token_budget.unwrap_or(default),
            layers: options.resolve_layers(model.n_layers())?,
        })
    }
}
