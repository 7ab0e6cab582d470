//! What is in a model's folder beside the weights, as transformers reads it.

use super::{Config, ConvertError, plan::Plan};
use crate::{
    alphabet,
    file::FileError,
    model::{
        checkpoint::NumberFormat,
        file_names::{CONFIG, VOCABULARY},
    },
};
use serde_json::json;
use std::{fs::File, io::Write, path::Path};

const TOKENIZER: &str = "tokenizer_config.json";

/// The names of all of them.
pub(super) const NAMES: [&str; 3] = [CONFIG, VOCABULARY, TOKENIZER];

/// Residues that every published ESM-2 was trained with, BOS and EOS included. Rotary positions know no limit.
const POSITIONS: usize = 1026;

/// Their names and what they hold.
pub(super) fn all(config: &Config, plan: &Plan) -> [(&'static str, String); 3] {
    [
        (CONFIG, configuration(config, plan)),
        (VOCABULARY, alphabet::TOKENS.join("\n")),
        (TOKENIZER, tokenizer()),
    ]
}

/// Writes a small file, which is on the disk then.
pub(super) fn write(path: &Path, text: &str) -> Result<(), ConvertError> {
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    Ok(written.map_err(|error| FileError::io("write", path, error))?)
}

/// The configuration as the published models have it.
fn configuration(config: &Config, plan: &Plan) -> String {
    let architecture = match plan.has_language_model {
        true => "EsmForMaskedLM",
        false => "EsmModel",
    };
    let dtype = match plan.format {
        NumberFormat::F16 => "float16",
        NumberFormat::BF16 => "bfloat16",
        NumberFormat::F32 | NumberFormat::Other(_) => "float32",
    };
    let map = json!({
        "architectures": [architecture],
        "attention_probs_dropout_prob": 0.0,
        "classifier_dropout": null,
        "emb_layer_norm_before": false,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.intermediate_size,
        "is_folding_model": false,
        "layer_norm_eps": config.layer_norm_epsilon,
        "mask_token_id": alphabet::MASK,
        "max_position_embeddings": POSITIONS,
        "model_type": "esm",
        "num_attention_heads": config.n_heads,
        "num_hidden_layers": config.n_layers,
        "pad_token_id": alphabet::PAD,
        "position_embedding_type": "rotary",
        "rope_theta": config.rope_theta,
        "token_dropout": config.token_dropout,
        "torch_dtype": dtype,
        "use_cache": true,
        "vocab_list": null,
        "vocab_size": alphabet::VOCABULARY_SIZE,
    });
    lines(&map)
}

/// Which class reads the alphabet, and what its tokens are for.
fn tokenizer() -> String {
    let token = |id: i32| alphabet::TOKENS[usize::try_from(id).expect("ids are not negative")];
    lines(&json!({
        "tokenizer_class": "EsmTokenizer",
        "do_lower_case": false,
        "cls_token": token(alphabet::CLS),
        "eos_token": token(alphabet::EOS),
        "mask_token": token(alphabet::MASK),
        "pad_token": token(alphabet::PAD),
        "unk_token": token(alphabet::UNK),
    }))
}

fn lines(map: &serde_json::Value) -> String {
    format!("{map:#}\n")
}
