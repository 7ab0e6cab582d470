//! What a run of `embed` is to do, checked as far as that needs no device and no file.

use super::{
    Column, ContactPairs, Content, Dataset, EmbedOptions, Layer, LongSequences, OutputDtype,
    Pooling, Positions, Problems, Question, Shard, contact_matrices, contact_pairs, output_fit,
};
use crate::alphabet::N_SPECIAL_TOKENS;
use std::num::NonZeroUsize;

/// What a run of `embed` is to do. There is none that makes no sense, so nothing behind it looks again.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedPlan {
    dataset: Dataset,
    options: EmbedOptions,
    layers: Vec<usize>,
    question: Question,
    asked: Question,
    /// What is embedded, for people.
    inputs: String,
    expected: Option<Expected>,
}

/// How much a model is to see, counted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Sequences.
    pub sequences: u64,
    /// Their tokens.
    pub tokens: u64,
}

impl Expected {
    /// What this process has to do of it, about.
    pub fn of_shard(self, shard: Option<Shard>) -> Self {
        let n_shards = shard.map_or(1, |shard| u64::from(shard.count()));
        Self {
            sequences: self.sequences.div_ceil(n_shards),
            tokens: self.tokens.div_ceil(n_shards),
        }
    }
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
        if options.special_tokens && !options.residues && !options.logits {
            problems.add_option(
                "special_tokens",
                "`special_tokens` is of no use without `residues` or `logits`".to_owned(),
                Some("vectors of whole sequences leave BOS and EOS out; `pooling: \"cls\"` takes that of BOS".to_owned()),
            );
        }
        contact_pairs::check(&options, &mut problems);
        let question = question(&options, &layers);
        contact_matrices::check(&mut dataset, &options, &question, &mut problems);
        let has_half = question
            .columns
            .iter()
            .any(|of| of.dtype == OutputDtype::F16);
        if options.output_dtype == Some(OutputDtype::F16) && !has_half && !layers.is_empty() {
            problems.add_option(
                "output_dtype",
                "`output_dtype: \"f16\"` is of no use here: logits and contacts are always in f32"
                    .to_owned(),
                Some(
                    "leave it out; it is about vectors, which `residues` or `pooling` ask for"
                        .to_owned(),
                ),
            );
        }
        output_fit::check(&options, &question, &mut problems);
        let asked = match &mut dataset.policy.long_sequences {
            LongSequences::Window(window) => {
                if question.has_all_pairs() {
                    *window = window.with_pairs();
                }
                question.of_pieces()
            }
            _ => question.clone(),
        };
        problems.none_or(Self {
            inputs: dataset.sources.join(", "),
            expected: None,
            dataset,
            options,
            layers,
            question,
            asked,
        })
    }

    /// The plan to ask for logits at some tokens of `dataset`, which was made of `inputs`, whatever `options` ask for.
    /// Its sequences are whole: at masks, windows are not joined.
    ///
    /// # Errors
    /// A sequence that `dataset` lets through does not fit into a batch.
    pub fn for_logits(
        dataset: Dataset,
        options: EmbedOptions,
        positions: Positions,
        inputs: String,
    ) -> Result<Self, Problems> {
        let options = EmbedOptions {
            logits: true,
            ..options
        };
        let longest = dataset.policy.long_sequences.limit();
        options.check_room(longest, |_, needed| {
            (
                format!("the model has to see sequences of {longest} residues"),
                format!("raise `token_budget` to at least {needed}"),
            )
        })?;
        let mut question = question(&options, &[]);
        for column in &mut question.columns {
            column.content = Content::Logits { positions };
        }
        Ok(Self {
            inputs,
            expected: None,
            dataset,
            options,
            layers: Vec::new(),
            asked: question.clone(),
            question,
        })
    }

    /// The same of sequences that were counted before.
    pub fn expecting(self, expected: Expected) -> Self {
        Self {
            expected: Some(expected),
            ..self
        }
    }

    /// How much the model is to see, if that was counted before.
    pub fn expected(&self) -> Option<Expected> {
        self.expected
    }

    /// The records to embed.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// What is embedded, for people: the sources of the records, or what these were made of.
    pub fn inputs(&self) -> &str {
        &self.inputs
    }

    /// The options as the script gave them.
    pub fn options(&self) -> &EmbedOptions {
        &self.options
    }

    /// The hidden states that are kept, each once, in output order: 0 is the embedding output.
    pub fn layers(&self) -> &[usize] {
        &self.layers
    }

    /// What the output says of each record.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What the model is asked of each sequence: the columns of the output, and behind them what pieces of records
    /// are joined by.
    pub fn asked(&self) -> &Question {
        &self.asked
    }

    /// The options with what the run used where the script left the choice to it.
    pub fn used(&self, token_budget: NonZeroUsize) -> EmbedOptions {
        EmbedOptions {
            token_budget: Some(token_budget),
            layers: self.layers.iter().map(|&n| Layer(n as i64)).collect(),
            pooling: Some(poolings(&self.options)).filter(|poolings| !poolings.is_empty()),
            output_dtype: Some(output_dtype(&self.options)),
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

/// How vectors of residues become one.
fn poolings(options: &EmbedOptions) -> Vec<Pooling> {
    let default = match options.residues || options.logits || options.contacts {
        true => Vec::new(),
        false => vec![Pooling::default()],
    };
    options.pooling.clone().unwrap_or(default)
}

fn output_dtype(options: &EmbedOptions) -> OutputDtype {
    let default = match options.residues {
        true => OutputDtype::F16,
        false => OutputDtype::F32,
    };
    options.output_dtype.unwrap_or(default)
}

/// What is asked of these hidden states, and of the head.
fn question(options: &EmbedOptions, layers: &[usize]) -> Question {
    let dtype = output_dtype(options);
    let poolings = poolings(options);
    let positions = match options.special_tokens {
        true => Positions::Tokens,
        false => Positions::Residues,
    };
    let named = |what: &str, layer: usize| match layers {
        [_] => what.to_owned(),
        _ => format!("{what}_{layer}"),
    };
    let mut columns = Vec::new();
    for &layer in layers {
        for &pooling in &poolings {
            let name = match poolings.as_slice() {
                [_] => named("embedding", layer),
                _ => format!("{}_{}", named("embedding", layer), pooling.name()),
            };
            columns.push(Column {
                name,
                content: Content::Pooled { layer, pooling },
                dtype,
            });
        }
    }
    if options.residues {
        columns.extend(layers.iter().map(|&layer| Column {
            name: named("residues", layer),
            content: Content::States { layer, positions },
            dtype,
        }));
    }
    if options.logits {
        columns.push(Column {
            name: "logits".to_owned(),
            content: Content::Logits { positions },
            dtype: OutputDtype::F32,
        });
    }
    if options.contacts {
        let min_separation = options.min_separation.get();
        let pairs = options.threshold.map(|threshold| ContactPairs {
            threshold: threshold as f32,
            min_separation,
        });
        columns.push(Column {
            name: "contacts".to_owned(),
            content: pairs.map_or(Content::Contacts, Content::ContactPairs),
            dtype: OutputDtype::F32,
        });
    }
    Question { columns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_that_tell_them_apart() {
        let names = |options: EmbedOptions| {
            let dataset = Dataset::new(vec!["a.fa".to_owned()]);
            let plan = EmbedPlan::new(dataset, options, 6).unwrap();
            let columns = plan.question().columns.iter();
            let names = columns.map(|column| format!("{}:{}", column.name, column.dtype.name()));
            names.collect::<Vec<_>>().join(" ")
        };
        let with = |layers: &[i64], poolings: &[Pooling], residues, logits| EmbedOptions {
            layers: layers.iter().copied().map(Layer).collect(),
            pooling: (!poolings.is_empty()).then(|| poolings.to_vec()),
            residues,
            logits,
            ..EmbedOptions::default()
        };
        let check = |options, expect: &str| assert_eq!(names(options), expect);
        check(with(&[-1], &[], false, false), "embedding:f32");
        check(
            with(&[0, -1], &[], false, false),
            "embedding_0:f32 embedding_6:f32",
        );
        let two = [Pooling::Mean, Pooling::Std];
        check(
            with(&[-1], &two, false, false),
            "embedding_mean:f32 embedding_std:f32",
        );
        check(with(&[2], &[], true, false), "residues:f16");
        check(with(&[2], &[], false, true), "logits:f32");
        check(
            with(&[2, 3], &two, true, true),
            "embedding_2_mean:f16 embedding_2_std:f16 embedding_3_mean:f16 embedding_3_std:f16 \
             residues_2:f16 residues_3:f16 logits:f32",
        );
        let contacts = EmbedOptions {
            contacts: true,
            ..EmbedOptions::default()
        };
        check(contacts.clone(), "contacts:f32");
        let pairs = EmbedOptions {
            threshold: Some(0.5),
            pooling: Some(two.to_vec()),
            ..contacts
        };
        check(pairs, "embedding_mean:f32 embedding_std:f32 contacts:f32");
    }

    #[test]
    fn special_tokens_are_of_residues() {
        let options = EmbedOptions {
            special_tokens: true,
            ..EmbedOptions::default()
        };
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        let problems = EmbedPlan::new(dataset.clone(), options.clone(), 6).unwrap_err();
        assert_eq!(problems.0[0].option.as_deref(), Some("special_tokens"));
        let options = EmbedOptions {
            residues: true,
            ..options
        };
        let plan = EmbedPlan::new(dataset, options, 6).unwrap();
        let [column] = plan.question().columns.as_slice() else {
            panic!("nothing is pooled");
        };
        let positions = Positions::Tokens;
        assert_eq!(
            column.content,
            Content::States {
                layer: 6,
                positions
            }
        );
        let used = plan.used(NonZeroUsize::MIN);
        assert_eq!(
            (used.pooling, used.output_dtype),
            (None, Some(OutputDtype::F16))
        );
    }

    #[test]
    fn logits_have_a_format_of_their_own() {
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        let options = EmbedOptions {
            logits: true,
            output_dtype: Some(OutputDtype::F16),
            ..EmbedOptions::default()
        };
        let problems = EmbedPlan::new(dataset.clone(), options.clone(), 6).unwrap_err();
        assert_eq!(problems.0[0].option.as_deref(), Some("output_dtype"));
        let with_vectors = EmbedOptions {
            pooling: Some(vec![Pooling::Mean]),
            ..options
        };
        EmbedPlan::new(dataset, with_vectors, 6).unwrap();
    }

    #[test]
    fn logits_can_be_asked_for_alone() {
        let dataset = Dataset::new(vec!["a.fa".to_owned()]);
        let options = EmbedOptions::default();
        let plan = EmbedPlan::for_logits(dataset, options, Positions::Masks, String::new());
        let plan = plan.unwrap();
        let columns = plan.question().columns.iter();
        let columns: Vec<_> = columns
            .map(|column| (column.name.as_str(), column.content))
            .collect();
        let positions = Positions::Masks;
        assert_eq!(columns, [("logits", Content::Logits { positions })]);
    }

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
