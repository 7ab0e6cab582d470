//! Which files of a model are needed to load it.

use crate::model::file_names::{
    ADAPTER_CONFIG, ADAPTER_WEIGHTS, CONFIG, VOCABULARY, WEIGHTS, WeightsNames,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// How much of a model is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// All that embedding with it takes.
    Weights,
    /// What is known of it without its weights, which the mock device does without.
    Config,
}

/// Files that loading a model needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needed {
    /// Their names, the small ones first. They need not be there if a list names them.
    pub(super) names: Vec<String>,
    /// What no file is there for.
    pub(super) lacks: Option<&'static str>,
}

/// A list of the files that hold the weights of a model, as HF writes it.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Which of some files are needed. `has` says whether there is one of that name, and `read` gives the text of
/// a list of others.
///
/// # Errors
/// As `read`.
pub(super) fn needed<E>(
    need: Need,
    has: impl Fn(&str) -> bool,
    read: impl FnOnce(&str) -> Result<String, E>,
) -> Result<Needed, E> {
    let there = |names: &[&str]| {
        let mut names = names.iter().filter(|name| has(name));
        names.next().map(|name| (*name).to_owned())
    };
    let mut names = Vec::new();
    let (config, weights) = match is_adapter(&has) {
        true => (
            ADAPTER_CONFIG,
            there(&ADAPTER_WEIGHTS).map(|weights| vec![weights]),
        ),
        false => {
            let mut weights = WEIGHTS.iter();
            let found = weights.find(|names| has(names.single) || has(names.index));
            let weights = match found {
                Some(WeightsNames { single, .. }) if has(single) => {
                    Some(vec![(*single).to_owned()])
                }
                Some(WeightsNames { index, .. }) if need == Need::Weights => {
                    names.push((*index).to_owned());
                    let text = read(index)?;
                    // One that is broken is complained of by who loads it.
                    let index = serde_json::from_str::<Index>(&text).ok();
                    let files =
                        index.map(|index| BTreeSet::from_iter(index.weight_map.into_values()));
                    Some(files.unwrap_or_default().into_iter().collect())
                }
                Some(_) => Some(Vec::new()),
                None => None,
            };
            (CONFIG, weights)
        }
    };
    names.insert(0, config.to_owned());
    names.extend(there(&[VOCABULARY]));
    let lacks = match (&weights, need) {
        _ if !has(config) => Some("`config.json`"),
        (None, Need::Weights) => Some("weights that are read, as `model.safetensors`"),
        _ => None,
    };
    if need == Need::Weights {
        names.extend(weights.into_iter().flatten());
    }
    Ok(Needed { names, lacks })
}

/// Whether some files are those of an adapter. Some who save one save the configuration of its model beside it.
pub(super) fn is_adapter(has: impl Fn(&str) -> bool) -> bool {
    has(ADAPTER_CONFIG) && (!has(CONFIG) || ADAPTER_WEIGHTS.iter().any(|name| has(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[&str], need: Need) -> Needed {
        let index = r#"{"weight_map": {"a": "part-2", "b": "part-1", "c": "part-2"}}"#;
        let read = |name: &str| match all.contains(&name) {
            true => Ok(index.to_owned()),
            false => Err(name.to_owned()),
        };
        needed(need, |name| all.contains(&name), read).expect("only what is there is read")
    }

    #[test]
    fn one_format_of_weights_is_needed() {
        let check = |all: &[&str], expect: &[&str]| {
            let found = files(all, Need::Weights);
            assert_eq!(
                (found.names.as_slice(), found.lacks),
                (
                    &expect.iter().map(ToString::to_string).collect::<Vec<_>>()[..],
                    None
                )
            );
        };
        let rest = [
            "README.md",
            "tf_model.h5",
            "tokenizer_config.json",
            "config.json",
            "vocab.txt",
        ];
        let all = |more: &[&'static str]| [&rest, more].concat();
        check(
            &all(&["model.safetensors", "pytorch_model.bin"]),
            &["config.json", "vocab.txt", "model.safetensors"],
        );
        check(
            &["config.json", "pytorch_model.bin"],
            &["config.json", "pytorch_model.bin"],
        );
        check(
            &all(&[
                "model.safetensors.index.json",
                "part-1",
                "part-2",
                "pytorch_model.bin",
            ]),
            &[
                "config.json",
                "model.safetensors.index.json",
                "vocab.txt",
                "part-1",
                "part-2",
            ],
        );
        // The files that a list names are needed, whether they are there or not.
        check(
            &["config.json", "pytorch_model.bin.index.json"],
            &[
                "config.json",
                "pytorch_model.bin.index.json",
                "part-1",
                "part-2",
            ],
        );
        check(
            &[
                "adapter_config.json",
                "config.json",
                "adapter_model.bin",
                "vocab.txt",
            ],
            &["adapter_config.json", "vocab.txt", "adapter_model.bin"],
        );
    }

    #[test]
    fn what_lacks_is_said() {
        let check = |all: &[&str], need, expect: Option<&str>| {
            let lacks = files(all, need).lacks;
            assert_eq!(lacks.is_some(), expect.is_some(), "{all:?}: {lacks:?}");
            assert!(
                lacks
                    .unwrap_or_default()
                    .contains(expect.unwrap_or_default())
            );
        };
        check(&["model.safetensors"], Need::Weights, Some("config.json"));
        check(&["config.json"], Need::Weights, Some("weights"));
        check(
            &["config.json", "model.gguf"],
            Need::Weights,
            Some("weights"),
        );
        check(&["config.json"], Need::Config, None);
        check(&["config.json", "model.safetensors"], Need::Weights, None);
    }

    #[test]
    fn the_mock_device_needs_no_weights() {
        let all = ["config.json", "vocab.txt", "model.safetensors.index.json"];
        assert_eq!(
            files(&all, Need::Config).names,
            ["config.json", "vocab.txt"]
        );
        let all = ["config.json", "model.safetensors"];
        assert_eq!(files(&all, Need::Config).names, ["config.json"]);
        let adapter = files(&["adapter_config.json"], Need::Config);
        assert_eq!(
            (adapter.names, adapter.lacks),
            (vec!["adapter_config.json".to_owned()], None)
        );
    }
}
