//! The files of the tiny model.

use super::generator::numbers;
use crate::alphabet::VOCABULARY_SIZE;
use serde_json::{Map, json};

/// Components of an embedding.
pub(super) const HIDDEN: usize = 128;
/// Transformer layers.
pub(super) const N_LAYERS: usize = 2;
/// Heads of 64 components, as all published models but the smallest have.
const N_HEADS: usize = 2;
const INTERMEDIATE: usize = 512;

/// A tensor: how it is called, its shape, and what its numbers are around and how far they spread.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    offset: f32,
    scale: f32,
}

/// Every tensor, in the order of their streams.
fn tensors() -> Vec<Tensor> {
    let mut all = Vec::new();
    let mut tensor = |name: String, shape: &[usize], offset, scale| {
        all.push(Tensor {
            name: format!("esm.{name}"),
            shape: shape.to_vec(),
            offset,
            scale,
        });
    };
    tensor(
        "embeddings.word_embeddings.weight".into(),
        &[VOCABULARY_SIZE, HIDDEN],
        0.0,
        2.0,
    );
    for n in 0..N_LAYERS {
        let layer = format!("encoder.layer.{n}");
        for (name, rows, columns, scale) in [
            ("attention.LayerNorm", HIDDEN, 0, 0.25),
            ("attention.self.query", HIDDEN, HIDDEN, 0.25),
            ("attention.self.key", HIDDEN, HIDDEN, 0.25),
            ("attention.self.value", HIDDEN, HIDDEN, 0.25),
            ("attention.output.dense", HIDDEN, HIDDEN, 0.25),
            ("LayerNorm", HIDDEN, 0, 0.25),
            ("intermediate.dense", INTERMEDIATE, HIDDEN, 0.25),
            ("output.dense", HIDDEN, INTERMEDIATE, 0.125),
        ] {
            // A norm has no columns, and scales by numbers around one.
            match columns {
                0 => tensor(format!("{layer}.{name}.weight"), &[rows], 1.0, scale),
                columns => tensor(
                    format!("{layer}.{name}.weight"),
                    &[rows, columns],
                    0.0,
                    scale,
                ),
            }
            tensor(format!("{layer}.{name}.bias"), &[rows], 0.0, 0.25);
        }
    }
    tensor(
        "encoder.emb_layer_norm_after.weight".into(),
        &[HIDDEN],
        1.0,
        0.25,
    );
    tensor(
        "encoder.emb_layer_norm_after.bias".into(),
        &[HIDDEN],
        0.0,
        0.25,
    );
    all
}

/// What stands in `config.json`.
pub(super) fn config() -> String {
    let config = json!({
        "architectures": ["EsmForMaskedLM"],
        "model_type": "esm",
        "vocab_size": VOCABULARY_SIZE,
        "hidden_size": HIDDEN,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "intermediate_size": INTERMEDIATE,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": 1026,
        "position_embedding_type": "rotary",
        "token_dropout": true,
        "emb_layer_norm_before": false,
        "pad_token_id": 1,
        "mask_token_id": 32,
        "hidden_act": "gelu",
    });
    config.to_string()
}

/// What stands in `model.safetensors`: the length of a header, the header, the numbers.
pub(super) fn safetensors() -> Vec<u8> {
    let mut header = Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (stream, tensor) in tensors().into_iter().enumerate() {
        let begin = data.len();
        let n_numbers = tensor.shape.iter().product();
        let numbers = numbers(stream as u32, tensor.offset, tensor.scale).take(n_numbers);
        data.extend(numbers.flat_map(f32::to_le_bytes));
        let entry = json!({
            "dtype": "F32",
            "shape": tensor.shape,
            "data_offsets": [begin, data.len()],
        });
        header.insert(tensor.name, entry);
    }
    let mut header = serde_json::Value::Object(header).to_string();
    // The numbers are aligned.
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &data].concat()
}
