//! `config.json` of an ESM-2 in the format of HF transformers.

use super::{ModelError, error::NO_JSON, file_names::CONFIG, plain_file};
use crate::alphabet::VOCABULARY_SIZE;
use serde_json::{Map, Value};
use std::path::Path;

/// The shape of an ESM-2, as its `config.json` gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Components of a hidden state.
    pub hidden_size: usize,
    /// Transformer layers.
    pub n_layers: usize,
    /// Attention heads.
    pub n_heads: usize,
    /// Components between the two linear layers of a feed-forward block.
    pub intermediate_size: usize,
    /// What layer normalisation adds to the variance.
    pub layer_norm_epsilon: f64,
    /// Whether token embeddings are scaled for the share of masked tokens seen in training.
    pub token_dropout: bool,
    /// The base of the rotary frequencies, where the weights do not have them.
    pub rope_theta: f64,
    /// Whether the head of the language model has the embeddings for its output layer, where the weights have none.
    pub is_decoder_tied: bool,
}

/// The file of a published model has less than 1 kB.
const MOST_BYTES: u64 = 1 << 20;

/// Limits that the largest ESM-2 (15B: 5,120 components in 48 layers) is far from. With them no product
/// of sizes overflows, and memory for one vector is always there.
pub(super) const MOST_HIDDEN: u64 = 65_536;
const MOST_INTERMEDIATE: u64 = 1 << 20;
pub(super) const MOST_LAYERS: u64 = 1024;

impl Config {
    /// Reads `folder/config.json`.
    ///
    /// # Errors
    /// If the file is missing or is not JSON, if a key is missing or out of range, or if the model is
    /// not an ESM-2 that this program computes; every reason is named.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(CONFIG);
        let text = plain_file::read(&path, MOST_BYTES)?;
        Self::parse(&text).map_err(|reasons| ModelError::Config { path, reasons })
    }

    /// From the text of a `config.json`, or all the reasons why not.
    pub(super) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let map: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| vec![format!("{NO_JSON}: {error}")])?;
        let mut keys = Keys::new(&map);
        keys.text("model_type", "none", |found| match found {
            "esm" => None,
            _ => Some("not `esm`"),
        });
        // What else another architecture says is beside the point.
        if map.get("model_type").is_some_and(Value::is_string) && !keys.reasons.is_empty() {
            return Err(keys.reasons);
        }
        let config = Self {
            hidden_size: keys.size("hidden_size", MOST_HIDDEN),
            n_layers: keys.size("num_hidden_layers", MOST_LAYERS),
            n_heads: keys.size("num_attention_heads", MOST_HIDDEN),
            intermediate_size: keys.size("intermediate_size", MOST_INTERMEDIATE),
            // The default of HF's EsmConfig is 1e-12; every ESM-2 states 1e-5.
            layer_norm_epsilon: keys.number("layer_norm_eps", 0.0..=1.0).unwrap_or(1e-12),
            token_dropout: keys.flag("token_dropout"),
            rope_theta: keys.rope_theta(),
            is_decoder_tied: !keys.says_no("tie_word_embeddings"),
        };
        let vocabulary = keys.size("vocab_size", u64::MAX);
        if vocabulary != VOCABULARY_SIZE && map.contains_key("vocab_size") {
            keys.reasons.push(format!(
                "`vocab_size` is {vocabulary}, but the alphabet of ESM-2 has {VOCABULARY_SIZE} tokens"
            ));
        }
        keys.text("position_embedding_type", "absolute", |found| match found {
            "rotary" => None,
            "absolute" => {
                Some("which stands for learned positions (ESM-1): only `rotary` is supported")
            }
            _ => Some("and only `rotary` is supported"),
        });
        keys.text("hidden_act", "gelu", |found| match found {
            "gelu" => None,
            _ => Some("not `gelu`"),
        });
        for (name, why) in [
            ("emb_layer_norm_before", "which is not supported"),
            ("is_folding_model", "and ESMFold is not supported"),
            ("add_cross_attention", "which is not supported"),
            ("is_decoder", "and decoders are not supported"),
        ] {
            if keys.flag(name) {
                keys.reasons.push(format!("`{name}` is true, {why}"));
            }
        }
        keys.check_heads(&config, ["hidden_size", "num_attention_heads"]);
        if let Some(head_dim) = keys.optional_size("head_dim", MOST_HIDDEN)
            && head_dim != config.head_dim()
            && keys.says("hidden_size", config.hidden_size)
            && keys.says("num_attention_heads", config.n_heads)
        {
            keys.reasons.push(format!(
                "`head_dim` is {head_dim}, not `hidden_size` / `num_attention_heads` = {}",
                config.head_dim()
            ));
        }
        keys.end(config)
    }

    /// Dimension of an attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.n_heads
    }
}

/// The keys of a file, and what is wrong with them so far.
pub(super) struct Keys<'a> {
    map: &'a Map<String, Value>,
    reasons: Vec<String>,
}

impl<'a> Keys<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        let reasons = Vec::new();
        Self { map, reasons }
    }

    /// The configuration, unless something is wrong with it.
    pub(super) fn end(self, config: Config) -> Result<Config, Vec<String>> {
        match self.reasons.is_empty() {
            true => Ok(config),
            false => Err(self.reasons),
        }
    }

    /// Checks that hidden states can be divided into heads, and these be rotated, if it is known how large and how
    /// many they are. `names` are those of the size and of the number of heads.
    pub(super) fn check_heads(&mut self, config: &Config, names: [&str; 2]) {
        let [size, heads] = names;
        let (hidden_size, n_heads) = (config.hidden_size, config.n_heads);
        if !self.says(size, hidden_size) || !self.says(heads, n_heads) {
            return;
        }
        if !hidden_size.is_multiple_of(n_heads) {
            self.reasons.push(format!(
                "`{size}` {hidden_size} is not a multiple of `{heads}` {n_heads}"
            ));
        } else if !config.head_dim().is_multiple_of(2) {
            self.reasons.push(format!(
                "heads of dimension {} cannot be rotated: it is odd",
                config.head_dim()
            ));
        }
    }

    /// Whether a key has this value, rather than one that is complained of already.
    fn says(&self, name: &str, number: usize) -> bool {
        self.get(name).and_then(Value::as_u64) == Some(number as u64)
    }

    /// Says so if there is no such key.
    pub(super) fn require(&mut self, name: &str) {
        if self.get(name).is_none() {
            self.reasons.push(format!("`{name}` is missing"));
        }
    }

    /// The value of a key that is neither missing nor null.
    fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Says that a value makes no sense.
    fn refuse(&mut self, name: &str, value: &Value, instead: &str) {
        /// Characters of a value that a message shows.
        const MOST: usize = 40;
        let mut text = value.to_string();
        if let Some((end, _)) = text.char_indices().nth(MOST) {
            text.truncate(end);
            text.push_str("...");
        }
        self.reasons.push(format!("`{name}` is {text}, {instead}"));
    }

    /// A whole number from 1 to `most`; 1 if there is none, so that what follows can go on.
    pub(super) fn size(&mut self, name: &str, most: u64) -> usize {
        self.require(name);
        self.optional_size(name, most).unwrap_or(1)
    }

    fn optional_size(&mut self, name: &str, most: u64) -> Option<usize> {
        let value = self.get(name)?.clone();
        match value.as_u64() {
            Some(number) if (1..=most).contains(&number) => return usize::try_from(number).ok(),
            Some(0) | None => self.refuse(name, &value, "not a whole number above 0"),
            Some(_) => self.refuse(
                name,
                &value,
                &format!("and {most} is the most that is read"),
            ),
        }
        None
    }

    /// A number of this range.
    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<f64>) -> Option<f64> {
        let value = self.get(name)?.clone();
        let number = value.as_f64().filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = range.into_inner();
            self.refuse(name, &value, &format!("not a number from {start} to {end}"));
        }
        number
    }

    /// Whether a key is true.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.get(name).cloned() {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(value) => {
                self.refuse(name, &value, "not true or false");
                false
            }
        }
    }

    /// Whether a key is false.
    fn says_no(&mut self, name: &str) -> bool {
        self.get(name).is_some() && !self.flag(name)
    }

    /// Looks at a text; `refuse` says what is wrong with it.
    fn text(&mut self, name: &str, default: &str, refuse: impl Fn(&str) -> Option<&'static str>) {
        let value = self.get(name).cloned();
        match value.as_ref().map_or(Some(default), Value::as_str) {
            Some(text) => {
                if let Some(why) = refuse(text) {
                    self.reasons.push(format!("`{name}` is `{text}`, {why}"));
                }
            }
            None => self.refuse(name, &value.unwrap_or_default(), "not a text"),
        }
    }

    /// The base of the rotary frequencies: `rope_theta`, or the same inside of `rope_parameters`, where
    /// newer versions of transformers have it for other models.
    fn rope_theta(&mut self) -> f64 {
        /// What ESM-2 was trained with, and the default of HF's EsmConfig.
        const DEFAULT: f64 = 10_000.0;
        const RANGE: std::ops::RangeInclusive<f64> = 1.0..=1e12;
        let mut theta = self.number("rope_theta", RANGE);
        for name in ["rope_parameters", "rope_scaling"] {
            let Some(value) = self.get(name).cloned() else {
                continue;
            };
            let Value::Object(map) = &value else {
                self.refuse(name, &value, "not a map");
                continue;
            };
            for (key, value) in map {
                let full = format!("{name}.{key}");
                match key.as_str() {
                    "rope_type" | "type" if value == "default" => {}
                    "rope_type" | "type" => {
                        self.refuse(&full, value, "and only \"default\" is supported");
                    }
                    "partial_rotary_factor" | "factor" | "attention_factor"
                        if value.as_f64() == Some(1.0) => {}
                    "rope_theta" => {
                        let mut inner = Keys::new(map);
                        let found = inner.number(key, RANGE);
                        self.reasons.append(&mut inner.reasons);
                        if theta.is_some() && found.is_some() && theta != found {
                            self.refuse(&full, value, "but `rope_theta` is another");
                        }
                        theta = theta.or(found);
                    }
                    _ if value.is_null() => {}
                    _ => self.refuse(&full, value, "which is not supported"),
                }
            }
        }
        theta.unwrap_or(DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../tests/golden/hd24/config.json");

    /// Replaces `from` with `to` in a good file; the result must be refused with `reason`.
    fn check_refused(from: &str, to: &str, reason: &str) {
        assert!(GOOD.contains(from), "the good file has {from}");
        let reasons = Config::parse(&GOOD.replace(from, to)).expect_err("must be refused");
        assert!(
            reasons.iter().any(|r| r.contains(reason)),
            "{reasons:?} do not mention {reason}"
        );
    }

    #[test]
    fn a_good_file_is_read() {
        let config = Config::parse(GOOD).expect("a good file");
        assert_eq!(
            config,
            Config {
                hidden_size: 96,
                n_layers: 2,
                n_heads: 4,
                intermediate_size: 384,
                layer_norm_epsilon: 1e-5,
                token_dropout: true,
                rope_theta: 10_000.0,
                is_decoder_tied: true,
            }
        );
        assert_eq!(config.head_dim(), 24);
    }

    #[test]
    fn what_is_not_esm_2_is_refused_by_name() {
        check_refused(r#""esm""#, r#""bert""#, "`model_type` is `bert`");
        check_refused(r#""rotary""#, r#""absolute""#, "learned positions");
        check_refused(
            r#""emb_layer_norm_before": false"#,
            r#""emb_layer_norm_before": true"#,
            "`emb_layer_norm_before`",
        );
        check_refused(r#""gelu""#, r#""relu""#, "`hidden_act` is `relu`");
        check_refused("33", "36", "`vocab_size` is 36");
        check_refused(
            "\"hidden_size\": 96",
            "\"hidden_size\": 97",
            "not a multiple",
        );
        check_refused("\"hidden_size\": 96", "\"hidden_size\": 100", "odd");
        check_refused(
            "\"num_hidden_layers\"",
            "\"n\"",
            "`num_hidden_layers` is missing",
        );
        check_refused("{", "", "not valid JSON");
        check_refused(
            "1e-05",
            "-1e-05",
            "`layer_norm_eps` is -0.00001, not a number from 0 to 1",
        );
        check_refused("1e-05", "NaN", "not valid JSON");
        check_refused("1e-05", "1e999", "not valid JSON");
        check_refused(
            "\"token_dropout\": true",
            "\"token_dropout\": \"yes\"",
            "`token_dropout` is \"yes\", not true or false",
        );
        check_refused("{", r#"{ "is_decoder": true,"#, "decoders");
        check_refused("{", r#"{ "head_dim": 32,"#, "`head_dim` is 32");
    }

    #[test]
    fn sizes_have_limits() {
        for name in [
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
        ] {
            let name_and_colon = format!("\"{name}\":");
            for (value, reason) in [
                ("1099511627776", "is the most that is read"),
                ("9223372036854775808", "is the most that is read"),
                ("18446744073709551616", "not a whole number above 0"),
                ("0", "not a whole number above 0"),
                ("-3", "not a whole number above 0"),
                ("\"96\"", "not a whole number above 0"),
                ("96.5", "not a whole number above 0"),
                ("null", "is missing"),
            ] {
                let to = format!("{name_and_colon} {value}, \"was\":");
                check_refused(&name_and_colon, &to, reason);
                // What is unknown is not computed with.
                let reasons = Config::parse(&GOOD.replace(&name_and_colon, &to));
                assert_eq!(reasons.expect_err("must be refused").len(), 1);
            }
        }
    }

    #[test]
    fn the_base_of_rotary_frequencies() {
        let with = |keys: &str| Config::parse(&GOOD.replacen('{', &format!("{{ {keys},"), 1));
        let check = |keys: &str, expect: f64| {
            assert_eq!(
                with(keys).expect("a good file").rope_theta,
                expect,
                "{keys}"
            );
        };
        check(r#""rope_theta": 5000"#, 5000.0);
        check(r#""rope_theta": null"#, 10_000.0);
        check(r#""rope_scaling": null"#, 10_000.0);
        check(
            r#""rope_parameters": { "rope_theta": 500.5, "rope_type": "default" }"#,
            500.5,
        );
        let refused = |keys: &str, reason: &str| {
            let reasons = with(keys).expect_err("must be refused").join("; ");
            assert!(reasons.contains(reason), "{reasons}");
        };
        refused(r#""rope_theta": -1"#, "`rope_theta` is -1");
        refused(
            r#""rope_parameters": { "rope_type": "yarn" }"#,
            "`rope_parameters.rope_type` is \"yarn\"",
        );
        refused(
            r#""rope_scaling": { "type": "linear", "factor": 2.0 }"#,
            "`rope_scaling.factor` is 2.0, which is not supported; `rope_scaling.type` is \"linear\"",
        );
        refused(
            r#""rope_theta": 10000, "rope_parameters": { "rope_theta": 5000 }"#,
            "but `rope_theta` is another",
        );
    }

    #[test]
    fn all_reasons_are_named_at_once() {
        let text = GOOD.replace("rotary", "absolute").replace("gelu", "relu");
        assert_eq!(Config::parse(&text).expect_err("refused").len(), 2);
    }
}
