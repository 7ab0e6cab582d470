//! The head of the language model: how likely each token is at each position.

use super::{
    Config, ModelError,
    adapter::Adapter,
    error::Reason,
    foreign::MERGE_REMEDY,
    layout::{DECODER, EMBEDDINGS, head_tensors},
    reader::Reader,
    weights::Weights,
};
use crate::{
    alphabet::VOCABULARY_SIZE,
    job::Dtype,
    ops::{Epilogue, LayerNorm, Linear, Numbers},
};
use burn::tensor::{DType, Device, Tensor};

/// The head of the language model on a device. It computes in f32, whatever the model does: logits are compared
/// with each other, and differ by less than bf16 can tell.
pub(super) struct LmHead {
    dense: Linear,
    norm: LayerNorm,
    decoder: Linear,
}

impl LmHead {
    /// Whether the files of a model have all of it.
    ///
    /// # Errors
    /// What they lack.
    pub(super) fn check(config: &Config, weights: &Weights) -> Result<(), Reason> {
        for (name, shape) in head_tensors(config) {
            weights.check(name, &shape)?;
        }
        let shape = [VOCABULARY_SIZE, config.hidden_size];
        if weights.has(DECODER) {
            return weights.check(DECODER, &shape);
        }
        if !config.is_decoder_tied {
            return Err(format!(
                "tensor `{DECODER}` is missing, and by `tie_word_embeddings` the embeddings do not stand for it"
            )
            .into());
        }
        let changes = |adapter: &Adapter| adapter.changes(EMBEDDINGS);
        if weights.adapter().is_some_and(changes) {
            return Err(Reason::new(
                "the adapter changes the embeddings, and leaves open whether it changes them in the head",
                MERGE_REMEDY,
            ));
        }
        Ok(())
    }

    /// Reads the head of a model whose files have it: what makes it on a device.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn read(
        config: &Config,
        weights: &Weights,
    ) -> Result<impl FnOnce(&Device) -> Self + Clone + use<>, ModelError> {
        let hidden = config.hidden_size;
        let reader = Reader {
            weights,
            products: Dtype::F32,
            dtype: Dtype::F32,
        };
        let dense = reader.linear("lm_head.dense", hidden, hidden)?;
        let norm = reader.layer_norm(config, "lm_head.layer_norm")?;
        // The embeddings as the files have them, without the factor of token dropout.
        let decoder = match weights.has(DECODER) {
            true => DECODER,
            false => EMBEDDINGS,
        };
        let shape = [VOCABULARY_SIZE, hidden];
        let decoder = Numbers::new(weights.read(decoder, &shape)?, shape, Dtype::F32);
        let bias = weights.read("lm_head.bias", &shape[..1])?;
        let bias = Numbers::new(bias, [VOCABULARY_SIZE], Dtype::F32);
        Ok(move |device: &Device| Self {
            dense: dense.on(device),
            norm: norm.on(device),
            decoder: Linear::new(decoder.on(device), bias.on(device)),
        })
    }

    /// The logits of hidden states behind the last layer norm, both in f32: `[n, hidden]` to
    /// `[n, VOCABULARY_SIZE]`.
    pub(super) fn forward(&self, states: Tensor<2>) -> Tensor<2> {
        if states.dims()[0] == 0 {
            return Tensor::empty([0, VOCABULARY_SIZE], (&states.device(), DType::F32));
        }
        let x = self.dense.forward(states, Epilogue::Gelu);
        let x = self.norm.forward(&x);
        self.decoder.forward(x, Epilogue::None)
    }
}
