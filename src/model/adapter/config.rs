//! `adapter_config.json`, as PEFT writes it.

use super::scale::{InOrder, Patterns, Scales, alpha, rank};
use crate::model::{
    error::{ModelError, Reason},
    file_names::{ADAPTER_CONFIG, MOST_INDEX_BYTES},
    foreign::MERGE_REMEDY,
    plain_file,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// What an adapter says of itself.
#[derive(Debug)]
pub(super) struct AdapterConfig {
    pub(super) scales: Scales,
    /// Modules that were trained whole. Those outside of the encoder are heads.
    pub(super) modules_to_save: Vec<String>,
}

/// Maps in which the order counts.
#[derive(Deserialize)]
struct Ordered {
    rank_pattern: Option<InOrder>,
    alpha_pattern: Option<InOrder>,
}

/// What changes the model in another way than LoRA does, unless it is empty, and what is said of it.
const VARIANTS: &[(&str, &str)] = &[
    ("use_dora", "DoRA"),
    ("lora_bias", "biases of the matrices B"),
    ("use_qalora", "QALoRA"),
    ("use_bdlora", "block-diagonal LoRA"),
    ("alora_invocation_tokens", "activated LoRA"),
    ("arrow_config", "routing among adapters"),
    ("kasa_config", "KaSA"),
    ("monteclora_config", "MonteCLoRA"),
    ("velora_config", "VeLoRA"),
    ("layer_replication", "layers that occur several times"),
    ("target_parameters", "parameters outside of modules"),
    (
        "trainable_token_indices",
        "tokens that were trained one by one",
    ),
    ("megatron_config", "layers of Megatron"),
];

/// What is true, false or not set. A number or a text may be meant as either.
const FLAGS: &[&str] = &[
    "use_rslora",
    "use_dora",
    "use_qalora",
    "lora_bias",
    "fan_in_fan_out",
];

/// What ranks and alphas have to be.
const RANK: &str = "a whole number from 1";
const ALPHA: &str = "a finite number";

/// How the matrices began, where that leaves the weights of the base as they are.
const BEGINNINGS: &[&str] = &["gaussian", "eva", "orthogonal"];

impl AdapterConfig {
    /// Reads the file of the adapter in `folder`.
    ///
    /// # Errors
    /// If it is missing or broken, or the adapter is not one that can be merged.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(ADAPTER_CONFIG);
        let text = plain_file::read(&path, MOST_INDEX_BYTES)?;
        Self::parse(&text).map_err(|reason| ModelError::BadFile { path, reason })
    }

    fn parse(text: &str) -> Result<Self, Reason> {
        let map: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| Reason::from(format!("not valid JSON: {error}")))?;
        let ordered: Ordered = serde_json::from_str(text)
            .map_err(|error| Reason::from(format!("of its patterns, {error}")))?;
        let refused = |text: String| Err(Reason::new(text, MERGE_REMEDY));
        match map.get("peft_type").and_then(Value::as_str) {
            Some("LORA") => {}
            Some(other) => {
                return refused(format!(
                    "it is an adapter of the type {other}, and only LORA is merged"
                ));
            }
            None => return Err("it has no `peft_type`: it is not one of PEFT".into()),
        }
        for key in FLAGS {
            if let Some(other) = map.get(*key)
                && !matches!(other, Value::Bool(_) | Value::Null)
            {
                return Err(format!("`{key}` is {other}, not true or false").into());
            }
        }
        for (key, name) in VARIANTS {
            if map.get(*key).is_some_and(|value| !is_empty(value)) {
                return refused(format!("`{key}` is set: {name} cannot be merged here"));
            }
        }
        match map.get("init_lora_weights") {
            None | Some(Value::Bool(_) | Value::Null) => {}
            Some(Value::String(name)) if BEGINNINGS.contains(&name.as_str()) => {}
            Some(other) => {
                return refused(format!(
                    "`init_lora_weights` is {other}, which changes the weights of the base, too"
                ));
            }
        }
        Ok(Self {
            scales: Scales {
                rank: value(&map, "r", rank, RANK)?,
                alpha: value(&map, "lora_alpha", alpha, ALPHA)?,
                use_rslora: map.get("use_rslora") == Some(&Value::Bool(true)),
                ranks: Patterns::read(
                    ordered.rank_pattern.unwrap_or_default(),
                    "rank_pattern",
                    rank,
                    RANK,
                )?,
                alphas: Patterns::read(
                    ordered.alpha_pattern.unwrap_or_default(),
                    "alpha_pattern",
                    alpha,
                    ALPHA,
                )?,
            },
            modules_to_save: texts(&map, "modules_to_save")?,
        })
    }
}

/// Whether a value is one that stands for nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
    }
}

/// What stands under `key`, as `read` reads it, if it is `wanted`.
fn value<T>(
    map: &Map<String, Value>,
    key: &str,
    read: fn(&Value) -> Option<T>,
    wanted: &str,
) -> Result<T, Reason> {
    let found = map.get(key);
    let given = found.unwrap_or(&Value::Null);
    read(given).ok_or_else(|| match found {
        None => format!("`{key}` is missing").into(),
        Some(_) => format!("`{key}` is {given}, not {wanted}").into(),
    })
}

/// A list of texts, which may be missing, and one may stand for a list of one.
fn texts(map: &Map<String, Value>, key: &str) -> Result<Vec<String>, Reason> {
    let no_texts = || Reason::from(format!("`{key}` is not a list of names"));
    match map.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) => {
            let items = items.iter().map(|item| item.as_str().map(str::to_owned));
            items.collect::<Option<_>>().ok_or_else(no_texts)
        }
        Some(_) => Err(no_texts()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::joined;
    use serde_json::json;

    fn parse(changes: Value) -> Result<AdapterConfig, String> {
        let mut config = json!({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": false});
        let changes = changes.as_object().unwrap().clone();
        config.as_object_mut().unwrap().extend(changes);
        let parsed = AdapterConfig::parse(&config.to_string());
        parsed.map_err(|reason| joined(&reason, reason.hint.as_deref()))
    }

    #[test]
    fn only_plain_lora_is_taken() {
        let check = |changes: Value, expect: &str| {
            let error = parse(changes).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check(
            json!({"peft_type": "IA3"}),
            "type IA3, and only LORA is merged (merge the",
        );
        check(json!({"peft_type": null}), "not one of PEFT");
        check(json!({"use_dora": true}), "`use_dora` is set: DoRA");
        check(json!({"lora_bias": true}), "biases of the matrices B");
        check(
            json!({"layer_replication": [[0, 2]]}),
            "`layer_replication` is set",
        );
        check(
            json!({"init_lora_weights": "pissa_niter_4"}),
            "weights of the base, too",
        );
        check(json!({"r": 0}), "`r` is 0, not a whole number from 1");
        check(json!({"r": 0.5}), "`r` is 0.5, not a whole");
        check(json!({"r": -4}), "`r` is -4, not a whole");
        check(json!({"r": null}), "`r` is null, not a whole");
        check(json!({"lora_alpha": "8"}), "`lora_alpha` is \"8\", not a");
        check(json!({"lora_alpha": 1e300}), "not a finite number");
        check(
            json!({"rank_pattern": {"query": 0.5}}),
            "`rank_pattern` gives `query` the value 0.5, not a whole number from 1",
        );
        // What Python's `json` writes for what is no number.
        let nan = r#"{"peft_type": "LORA", "r": 4, "lora_alpha": NaN}"#;
        assert!(AdapterConfig::parse(nan).is_err());
        for key in FLAGS {
            for value in [json!(1), json!(0), json!("true"), json!([])] {
                let expect = format!("`{key}` is {value}, not true or false");
                check(json!({ *key: value }), &expect);
            }
        }
        check(json!({"rank_pattern": {"query": 4.5}}), "the value 4.5");
        check(json!({"modules_to_save": [1]}), "not a list of names");
        assert!(AdapterConfig::parse("[]").is_err());
    }

    #[test]
    fn what_is_not_set_does_not_count() {
        let harmless = json!({
            "use_dora": false, "layer_replication": null, "trainable_token_indices": [],
            "arrow_config": {}, "init_lora_weights": "gaussian", "loftq_config": {},
            "fan_in_fan_out": true, "modules_to_save": "classifier", "lora_dropout": 0.1,
        });
        let config = parse(harmless).unwrap();
        assert_eq!(config.modules_to_save, ["classifier"]);
        assert!(!config.scales.use_rslora);
    }
}
