//! How the tensors of an ESM-2 are called, in every file that there is.
//!
//! The names of HF transformers, or those of Meta's fair-esm, stand behind a prefix that depends on what was
//! saved: `esm.` for a model with a head, nothing for a bare encoder, `encoder.sentence_encoder.` in Meta's
//! files, and what wrappers of PyTorch add. Rotary frequencies have moved with the versions of transformers,
//! and the scale and shift of layer norms were once called gamma and beta. All of that is known here, and in
//! the table of `naming`, and nowhere else.

use super::{
    Config,
    error::Reason,
    foreign::MERGE_REMEDY,
    naming::{Naming, prefix_of},
};
use crate::alphabet::VOCABULARY_SIZE;
use std::{collections::BTreeSet, fmt};

/// The embeddings of tokens.
pub(super) const EMBEDDINGS: &str = "embeddings.word_embeddings.weight";
/// The output layer of the language model, where it is not the embeddings.
pub(super) const DECODER: &str = "lm_head.decoder.weight";
/// What the names of the language model's head begin with.
const HEAD: &str = "lm_head.";
/// The tensor whose name tells the prefix.
const ANCHOR: &str = EMBEDDINGS;

/// What the name of frequencies ends with, at the top level and inside a layer.
const FREQUENCIES: &str = "rotary_embeddings.inv_freq";
const FREQUENCIES_IN_LAYER: &str = "attention.self.rotary_embeddings.inv_freq";

/// How the tensors of a model's files are called.
#[derive(Debug, PartialEq)]
pub(super) struct Layout {
    naming: Naming,
    /// What stands before `embeddings.` and `encoder.`, or before `embed_tokens.` and `layers.`.
    prefix: String,
    /// The full names of all rotary frequencies.
    frequencies: Vec<String>,
    /// Layers that have frequencies of their own.
    layers_with_frequencies: Vec<usize>,
}

impl Layout {
    /// From the names of all tensors.
    ///
    /// # Errors
    /// The reason, if they are not those of one ESM-2 in the format of transformers.
    pub(super) fn find<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Result<Self, Reason> {
        let mut anchors: Vec<(Naming, &str, &str)> = Vec::new();
        for naming in Naming::ALL {
            let anchor = naming.of(ANCHOR);
            let prefixes = names.clone();
            anchors.extend(
                prefixes.filter_map(|name| Some((naming, prefix_of(name, &anchor)?, name))),
            );
        }
        anchors.sort_unstable_by_key(|(_, _, anchor)| *anchor);
        let (naming, prefix) = match *anchors.as_slice() {
            [(naming, prefix, _)] => (naming, prefix),
            [] => return Err(without_anchor(names)),
            [(_, _, first), (_, _, second), ..] => {
                return Err(
                    format!("they hold more than one model: `{first}` and `{second}`").into(),
                );
            }
        };
        let mut frequencies = Vec::new();
        let mut layers_with_frequencies = Vec::new();
        for name in names {
            let Some(rest) = name.strip_prefix(prefix) else {
                continue;
            };
            let rest = naming.to_transformers(rest);
            match layer_and_name(&rest) {
                Some((layer, FREQUENCIES_IN_LAYER)) => {
                    layers_with_frequencies.extend(layer.parse::<usize>());
                    frequencies.push(name.to_owned());
                }
                None if rest == FREQUENCIES => frequencies.push(name.to_owned()),
                _ => {}
            }
        }
        frequencies.sort();
        Ok(Self {
            naming,
            prefix: prefix.to_owned(),
            frequencies,
            layers_with_frequencies,
        })
    }

    /// Checks that the layers are those of `config`, and that none holds anything which would change
    /// what it computes. What stands outside of them, such as heads, is not looked at.
    ///
    /// # Errors
    /// The reason why not.
    pub(super) fn check<'a>(
        &self,
        config: &Config,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<(), Reason> {
        let known = layer_tensors(config).map(|(name, _)| name);
        let mut known_layers = BTreeSet::new();
        for name in names {
            let rest = name.strip_prefix(&self.prefix);
            let rest = rest.map(|rest| self.naming.to_transformers(rest));
            let Some((layer, rest)) = rest.as_deref().and_then(layer_and_name) else {
                continue;
            };
            let number = layer.parse::<usize>().ok();
            known_layers.extend(number);
            if number.is_some_and(|number| number >= config.n_layers) {
                return Err(format!(
                    "`{name}` belongs to layer {layer} (from 0), but `{}` is {}: they are of different models",
                    self.naming.key_of_layers(),
                    config.n_layers
                )
                .into());
            }
            let is_known = rest == FREQUENCIES_IN_LAYER
                || number.is_some()
                    && known
                        .iter()
                        .any(|known| rest == *known || Some(rest) == old_name(known).as_deref());
            if !is_known {
                let no_tensor = format!("`{name}` is no tensor of an ESM-2 layer");
                return Err(if name.contains("lora_") || name.contains(".base_layer.") {
                    Reason::new(no_tensor, MERGE_REMEDY)
                } else {
                    format!("{no_tensor}, and leaving it out could change what the model computes")
                        .into()
                });
            }
        }
        let n_layers = known_layers.len();
        if n_layers < config.n_layers && known_layers.iter().copied().eq(0..n_layers) {
            return Err(format!(
                "they have {n_layers} layers, but `{}` is {}: they are of different models",
                self.naming.key_of_layers(),
                config.n_layers
            )
            .into());
        }
        let lacking = (0..config.n_layers).find(|n| !self.layers_with_frequencies.contains(n));
        // transformers 5 would take the first one for all layers, and transformers 4 would compute those
        // that are missing: the file has no meaning that all readers agree on.
        match (self.layers_with_frequencies.first(), lacking) {
            (Some(with), Some(without)) => Err(format!(
                "layer {with} has rotary frequencies of its own (`{FREQUENCIES_IN_LAYER}`), layer \
                 {without} has none"
            )
            .into()),
            _ => Ok(()),
        }
    }

    /// The names that the tensor `name` can have in a file, the likeliest first. `name` is that of
    /// today's transformers without the prefix.
    pub(super) fn names(&self, name: &str) -> impl Iterator<Item = String> {
        let called = |name: &str| format!("{}{}", self.prefix, self.naming.of(name));
        let old = old_name(name).map(|old| called(&old));
        std::iter::once(called(name)).chain(old)
    }

    /// Whether a tensor is called `full` in a file that is called `name` by today's transformers, without a prefix,
    /// and belongs to the head of the language model. That stands beside the encoder, behind another prefix.
    pub(super) fn is_of_head(&self, full: &str, name: &str) -> bool {
        let called = match name {
            DECODER => self.naming.output().to_owned(),
            name => self.naming.of(name),
        };
        let old = old_name(name).map(|old| self.naming.of(&old));
        let mut names = std::iter::once(called).chain(old);
        name.starts_with(HEAD) && names.any(|name| prefix_of(full, &name).is_some())
    }

    /// The full names of all rotary frequencies.
    pub(super) fn frequencies(&self) -> &[String] {
        &self.frequencies
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.naming {
            Naming::Transformers => "names",
            Naming::FairEsm => "names of fair-esm",
        };
        match self.prefix.as_str() {
            "" => write!(f, "{whose} without a prefix")?,
            prefix => write!(f, "{whose} with the prefix `{prefix}`")?,
        }
        match self.frequencies.first() {
            None => f.write_str(" and no rotary frequencies"),
            Some(_) if !self.layers_with_frequencies.is_empty() => {
                f.write_str(" and rotary frequencies in every layer")
            }
            Some(name) => write!(f, " and rotary frequencies in `{name}`"),
        }
    }
}

/// The tensors outside of layers, and their shapes.
pub(super) fn outer_tensors(config: &Config) -> [(&'static str, Vec<usize>); 3] {
    let hidden = config.hidden_size;
    [
        (ANCHOR, vec![VOCABULARY_SIZE, hidden]),
        ("encoder.emb_layer_norm_after.weight", vec![hidden]),
        ("encoder.emb_layer_norm_after.bias", vec![hidden]),
    ]
}

/// The tensors of a layer, without `encoder.layer.0.`, and their shapes.
pub(super) fn layer_tensors(config: &Config) -> [(&'static str, Vec<usize>); 16] {
    let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
    [
        ("attention.self.query.weight", vec![hidden, hidden]),
        ("attention.self.query.bias", vec![hidden]),
        ("attention.self.key.weight", vec![hidden, hidden]),
        ("attention.self.key.bias", vec![hidden]),
        ("attention.self.value.weight", vec![hidden, hidden]),
        ("attention.self.value.bias", vec![hidden]),
        ("attention.output.dense.weight", vec![hidden, hidden]),
        ("attention.output.dense.bias", vec![hidden]),
        ("attention.LayerNorm.weight", vec![hidden]),
        ("attention.LayerNorm.bias", vec![hidden]),
        ("intermediate.dense.weight", vec![intermediate, hidden]),
        ("intermediate.dense.bias", vec![intermediate]),
        ("output.dense.weight", vec![hidden, intermediate]),
        ("output.dense.bias", vec![hidden]),
        ("LayerNorm.weight", vec![hidden]),
        ("LayerNorm.bias", vec![hidden]),
    ]
}

/// The tensors of the language model's head but the last one, [`DECODER`], and their shapes.
pub(super) fn head_tensors(config: &Config) -> [(&'static str, Vec<usize>); 5] {
    let hidden = config.hidden_size;
    [
        ("lm_head.dense.weight", vec![hidden, hidden]),
        ("lm_head.dense.bias", vec![hidden]),
        ("lm_head.layer_norm.weight", vec![hidden]),
        ("lm_head.layer_norm.bias", vec![hidden]),
        ("lm_head.bias", vec![VOCABULARY_SIZE]),
    ]
}

/// The rotary frequencies of a layer, without a prefix.
pub(super) fn frequencies_in_layer(layer: usize) -> String {
    format!("encoder.layer.{layer}.{FREQUENCIES_IN_LAYER}")
}

/// What the scale or the shift of a layer norm was called once.
fn old_name(name: &str) -> Option<String> {
    let (norm, part) = name.rsplit_once('.')?;
    let old = match part {
        "weight" => "gamma",
        "bias" => "beta",
        _ => return None,
    };
    let is_norm = ["LayerNorm", "layer_norm", "layer_norm_after"]
        .iter()
        .any(|end| norm.ends_with(end));
    is_norm.then(|| format!("{norm}.{old}"))
}

/// From `encoder.layer.3.output.dense.bias` to `3` and the rest.
fn layer_and_name(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("encoder.layer.")?.split_once('.')
}

/// Why there may be no embeddings of tokens where they should be.
fn without_anchor<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Reason {
    if names.clone().any(|name| name.contains("lora_")) {
        return Reason::new("it is an adapter, not a model", MERGE_REMEDY);
    }
    let mut some: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    some.sort();
    some.truncate(3);
    format!(
        "no tensor is called `{ANCHOR}`, with or without a prefix such as `esm.`; there are {}",
        if some.is_empty() {
            "none".to_owned()
        } else {
            format!("{}, ...", some.join(", "))
        }
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::joined;

    fn find(names: &[&str]) -> Result<Layout, String> {
        let found = Layout::find(names.iter().copied());
        found.map_err(|reason| joined(&reason, reason.hint.as_deref()))
    }

    #[test]
    fn the_prefix_is_what_stands_before_the_embeddings() {
        for prefix in [
            "",
            "esm.",
            "model.",
            "module.",
            "_orig_mod.",
            "module.esm.",
            "model.esm.",
            "_orig_mod.module.esm.",
        ] {
            let anchor = format!("{prefix}{ANCHOR}");
            let layout = find(&["lm_head.bias", &anchor]).expect("a layout");
            assert_eq!(layout.prefix, prefix);
            let names: Vec<_> = layout.names("encoder.layer.0.LayerNorm.bias").collect();
            assert_eq!(
                names,
                [
                    format!("{prefix}encoder.layer.0.LayerNorm.bias"),
                    format!("{prefix}encoder.layer.0.LayerNorm.beta")
                ]
            );
            let names: Vec<_> = layout.names("encoder.layer.0.output.dense.bias").collect();
            assert_eq!(names.len(), 1);
        }
        for other in ["a.embeddings.word_embeddings.weight", "embed_tokens.weight"] {
            let twice = find(&[other, ANCHOR]).expect_err("two models");
            assert!(twice.contains("more than one model"), "{twice}");
        }
    }

    #[test]
    fn names_of_fair_esm_are_another_way_to_call_the_same() {
        for prefix in ["", "encoder.", "encoder.sentence_encoder."] {
            let anchor = format!("{prefix}embed_tokens.weight");
            let frequencies = format!("{prefix}layers.0.self_attn.rot_emb.inv_freq");
            let layout = find(&["encoder.lm_head.bias", &anchor, &frequencies]);
            let layout = layout.expect("a layout");
            assert_eq!(layout.frequencies(), [frequencies]);
            assert_eq!(layout.layers_with_frequencies, [0]);
            let first = |name| layout.names(name).next().expect("a name");
            assert_eq!(first(ANCHOR), anchor);
            assert_eq!(
                first("encoder.layer.7.attention.output.dense.bias"),
                format!("{prefix}layers.7.self_attn.out_proj.bias")
            );
        }
    }

    #[test]
    fn names_of_other_models_are_explained() {
        let check = |names: &[&str], expect: &str| {
            let reason = find(names).expect_err("no layout");
            assert!(reason.contains(expect), "{reason}");
        };
        check(
            &["base_model.model.esm.encoder.layer.0.attention.self.query.lora_A.weight"],
            "adapter",
        );
        check(&["b", "a", "d", "c"], "there are `a`, `b`, `c`, ...");
        check(&[], "there are none");
        check(
            &["xembeddings.word_embeddings.weight"],
            "no tensor is called",
        );
    }
}
