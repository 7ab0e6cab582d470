//! `config.json` of an ESM-2 in the format of HF transformers.

use super::ModelError;
use serde::Deserialize;
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
}

/// The keys of the file that matter here, under HF's names.
#[derive(Deserialize)]
struct File {
    model_type: Option<String>,
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    intermediate_size: Option<usize>,
    layer_norm_eps: Option<f64>,
    position_embedding_type: Option<String>,
    hidden_act: Option<String>,
    #[serde(default)]
    token_dropout: bool,
    #[serde(default)]
    emb_layer_norm_before: Option<bool>,
    #[serde(default)]
    is_folding_model: bool,
    #[serde(default)]
    add_cross_attention: bool,
}

/// Tokens of the ESM-2 alphabet.
const VOCABULARY: usize = 33;

impl Config {
    /// Reads `folder/config.json`.
    ///
    /// # Errors
    /// If the file is missing or is not JSON, if a key is missing, or if the model is not an ESM-2
    /// that this program computes; every reason is named.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let text = std::fs::read_to_string(&path).map_err(|source| ModelError::Io {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|reasons| ModelError::Config { path, reasons })
    }

    /// From the text of a `config.json`, or all the reasons why not.
    fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file: File =
            serde_json::from_str(text).map_err(|error| vec![format!("not valid JSON: {error}")])?;
        let mut reasons = Vec::new();
        let mut number = |name: &str, value: Option<usize>| match value {
            Some(n) if n > 0 => n,
            Some(_) => {
                reasons.push(format!("`{name}` is 0"));
                1
            }
            None => {
                reasons.push(format!("`{name}` is missing"));
                1
            }
        };
        let config = Self {
            hidden_size: number("hidden_size", file.hidden_size),
            n_layers: number("num_hidden_layers", file.num_hidden_layers),
            n_heads: number("num_attention_heads", file.num_attention_heads),
            intermediate_size: number("intermediate_size", file.intermediate_size),
            // The default of HF's EsmConfig is 1e-12; every ESM-2 states 1e-5.
            layer_norm_epsilon: file.layer_norm_eps.unwrap_or(1e-12),
            token_dropout: file.token_dropout,
        };
        let vocab_size = number("vocab_size", file.vocab_size);

        let model_type = file.model_type.unwrap_or_else(|| "none".into());
        if model_type != "esm" {
            reasons.push(format!("`model_type` is `{model_type}`, not `esm`"));
        }
        if vocab_size != VOCABULARY && file.vocab_size.is_some() {
            reasons.push(format!(
                "`vocab_size` is {vocab_size}, but the alphabet of ESM-2 has {VOCABULARY} tokens"
            ));
        }
        let positions = file
            .position_embedding_type
            .unwrap_or_else(|| "absolute".into());
        if positions != "rotary" {
            reasons.push(format!(
                "`position_embedding_type` is `{positions}`: learned positions (ESM-1) are not \
                 supported, only `rotary`"
            ));
        }
        if file.emb_layer_norm_before == Some(true) {
            reasons.push("`emb_layer_norm_before` is true, which is not supported".into());
        }
        if file.is_folding_model {
            reasons.push("`is_folding_model` is true: ESMFold is not supported".into());
        }
        if file.add_cross_attention {
            reasons.push("`add_cross_attention` is true, which is not supported".into());
        }
        let activation = file.hidden_act.unwrap_or_else(|| "gelu".into());
        if activation != "gelu" {
            reasons.push(format!("`hidden_act` is `{activation}`, not `gelu`"));
        }
        if !config.hidden_size.is_multiple_of(config.n_heads) {
            reasons.push(format!(
                "`hidden_size` {} is not a multiple of `num_attention_heads` {}",
                config.hidden_size, config.n_heads
            ));
        } else if !config.head_dim().is_multiple_of(2) {
            reasons.push(format!(
                "heads of dimension {} cannot be rotated: it is odd",
                config.head_dim()
            ));
        }
        if reasons.is_empty() {
            Ok(config)
        } else {
            Err(reasons)
        }
    }

    /// Dimension of an attention head.
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.n_heads
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
    }

    #[test]
    fn all_reasons_are_named_at_once() {
        let text = GOOD.replace("rotary", "absolute").replace("gelu", "relu");
        assert_eq!(Config::parse(&text).expect_err("refused").len(), 2);
    }
}
