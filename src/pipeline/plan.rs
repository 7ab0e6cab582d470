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
        let mut problems = Problems::default();
        let mut layers = Vec::with_capacity(options.layers.len());
        for layer in &options.layers {
            match layer.resolve(model.n_layers()) {
                Some(index) if layers.contains(&index) => {
                    problems.add(format!("`layers` names layer {index} twice"), None);
                }
                Some(index) => layers.push(index),
                None => problems.add(
                    format!("{} has no layer {}", model.name(), layer.0),
                    Some(format!(
                        "layers go from 0, the embedding output, to {}, the last; -1 is the last, too",
                        model.n_layers()
                    )),
                ),
            }
        }
        // The default must hold the longest sequence that the dataset lets through.
        let longest = dataset
            .policy
            .long_sequences
            .limit()
            .saturating_add(N_FRAME_TOKENS);
        let default = model.default_token_budget().max(longest);
        let default = NonZeroUsize::new(default).expect("a model's default is not zero");
        problems.none_or(Self {
            token_budget: options.token_budget.unwrap_or(default),
            layers,
        })
    }
}
