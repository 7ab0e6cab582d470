//! What a run of `embed` is to do, checked as far as that needs no device and no file.

use super::{Dataset, EmbedOptions, Layer, LongSequences, Problems, Shard};
use crate::alphabet::N_SPECIAL_TOKENS;
use std::num::NonZeroUsize;

/// What a run of `embed` is to do. There is none that makes no sense, so nothing behind it looks again.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedPlan {
    dataset: Dataset,
    options: EmbedOptions,
    layers: Vec<usize>,
}

impl EmbedPlan {
    /// The plan to embed `dataset` with a model of so many transformer layers.
    ///
    /// # Errors
    /// A sequence that `dataset` lets through does not fit into a batch, the model has no such layer, or a
    /// layer is named twice.
    pub fn new(
        mut dataset: Dataset,
        options: EmbedOptions,
        n_layers: usize,
    ) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        if let (LongSequences::Full(room), Some(budget)) =
            (&mut dataset.policy.long_sequences, options.token_budget)
        {
            *room = budget.get().saturating_sub(N_SPECIAL_TOKENS);
        }
        if let Err(found) = options.check_fits(&dataset) {
            problems.0.extend(found.0);
        }
        let layers = options.resolve_layers(n_layers).unwrap_or_else(|found| {
            problems.0.extend(found.0);
            Vec::new()
        });
        problems.none_or(Self {
            dataset,
            options,
            layers,
        })
    }

    /// The records to embed.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The options as the script gave them.
    pub fn options(&self) -> &EmbedOptions {
        &self.options
    }

    /// The hidden states that are kept, each once, in output order: 0 is the embedding output.
    pub fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// The options with what the run used where the script left the choice to it.
    pub fn used(&self, token_budget: NonZeroUsize) -> EmbedOptions {
        EmbedOptions {
            token_budget: Some(token_budget),
            layers: self.layers.iter().map(|&n| Layer(n as i64)).collect(),
            ..self.options.clone()
        }
    }

    /// Checks that several processes can share the work.
    ///
    /// # Errors
    /// Records are to be counted from the first one on, of which no shard but the first knows the number.
    pub fn check_shard(&self, shard: Option<Shard>) -> Result<(), Problems> {
        match shard {
            Some(shard) if shard.is_a_part() && self.dataset.take.is_some() => Err(Problems::one(
                format!(
                    "`take` counts records from the first one on, which shard {shard} cannot do"
                ),
                Some("leave `.take(n)` out, or run without shards: `--shard 0/1`".to_owned()),
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_has_every_problem() {
        let options = EmbedOptions {
            token_budget: NonZeroUsize::new(100),
            layers: vec![Layer(7), Layer(-1)],
            ..EmbedOptions::default()
        };
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        let plan = EmbedPlan::new(dataset.clone(), options.clone(), 6);
        let options_at_fault: Vec<_> = plan
            .unwrap_err()
            .0
            .into_iter()
            .filter_map(|problem| problem.option)
            .collect();
        assert_eq!(options_at_fault, ["token_budget", "layers"]);
        let short = dataset.max_length(90).unwrap();
        let plan = EmbedPlan::new(short, options, 8).unwrap();
        assert_eq!(plan.layers(), [7, 8]);
        let used = plan.used(NonZeroUsize::MIN);
        assert_eq!(used.layers, [Layer(7), Layer(8)]);
    }
}
