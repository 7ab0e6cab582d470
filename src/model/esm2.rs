//! ESM-2: embedding, transformer layers, final layer norm.
//!
//! Follows `modeling_esm.py` of HF transformers, which follows Meta's fair-esm: token embeddings
//! scaled for token dropout, pre-layer-norm blocks, rotary positions, the erf form of GELU.

use super::{Config, Encoder, ModelError, weights::Weights};
use crate::{
    alphabet::VOCABULARY_SIZE,
    cancel::Abandonment,
    device::{Chosen, DeviceError},
    job::{Content, Dtype, GeluForm, Question},
    ops::{self, Epilogue, LayerNorm, Linear, Numbers, Results, RotaryTable, Tokens},
};
use burn::tensor::{Device, Tensor};
use std::{
    iter,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// ESM-2 on a device.
pub(super) struct Esm2 {
    gelu: GeluForm,
    /// `[VOCABULARY_SIZE, hidden]`, token-dropout scale included.
    embeddings: Tensor<2>,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    /// Grows to the longest sequence seen.
    rotary: Mutex<RotaryTable>,
}

/// One transformer layer.
struct Layer {
    attention_norm: LayerNorm,
    /// Queries, keys and values in one product: `[3 * hidden, hidden]`.
    qkv: Linear,
    attention_output: Linear,
    feed_forward_norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

/// What a model computes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The number format of weights and activations.
    pub(super) dtype: Dtype,
    pub(super) gelu: GeluForm,
}

/// Rotary tables grow in steps of at least this many positions.
const LEAST_POSITIONS: usize = 1024 + 2;

/// The share of tokens that were chosen for masking in training, times the share of those that
/// became `<mask>`.
const MASKED_IN_TRAINING: f32 = 0.15 * 0.8;

impl Esm2 {
    /// Reads the weights of `config` once and puts them on each of `chosen`: a model a device, in their order.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        chosen: &[Chosen],
        form: Form,
    ) -> Result<Vec<Self>, ModelError> {
        let reader = Reader {
            weights,
            dtype: form.dtype,
        };
        let hidden = config.hidden_size;
        let mut embeddings = weights.read(
            "embeddings.word_embeddings.weight",
            &[VOCABULARY_SIZE, hidden],
        )?;
        if config.token_dropout {
            // No token of a FASTA file is `<mask>`, so the factor is the same for every sequence.
            for value in &mut embeddings {
                *value *= 1.0 - MASKED_IN_TRAINING;
            }
        }
        let frequencies = match weights.frequencies(config)? {
            Some(frequencies) => frequencies,
            None => RotaryTable::frequencies(config.head_dim(), config.rope_theta),
        };
        let embeddings = reader.numbers(embeddings, [VOCABULARY_SIZE, hidden]);
        let final_norm = reader.layer_norm(config, "encoder.emb_layer_norm_after")?;
        let make = move |device: &Device| Self {
            gelu: form.gelu,
            embeddings: embeddings.on(device),
            layers: Vec::with_capacity(config.n_layers),
            final_norm: final_norm(device),
            rotary: Mutex::new(RotaryTable::new(frequencies, 0)),
        };
        let mut models = on_each(chosen, make);
        // Layer by layer, so that main memory never holds the whole model.
        for n in 0..config.n_layers {
            let layer = Layer::read(config, &reader, &format!("encoder.layer.{n}"))?;
            let layers = on_each(chosen, layer);
            for (model, layer) in models.iter_mut().zip(layers) {
                model.layers.push(layer);
            }
        }
        Ok(models)
    }

    /// The form of GELU to compute. The tanh form is fused into the product before it.
    fn gelu(&self) -> Epilogue<'static> {
        match self.gelu {
            GeluForm::Erf => Epilogue::Gelu,
            GeluForm::Tanh => Epilogue::GeluTanh,
        }
    }

    /// Calls `visit` with the index and value, `[T, hidden]`, of every hidden state that `wanted`
    /// names, in rising order. States beyond the last one wanted are not computed.
    ///
    /// # Errors
    /// The run was abandoned meanwhile. On a CPU a batch of a large model takes long.
    fn hidden_states(
        &self,
        tokens: &Tokens,
        wanted: &[usize],
        abandonment: &Abandonment,
        mut visit: impl FnMut(usize, &Tensor<2>),
    ) -> Result<(), DeviceError> {
        let longest = tokens.segments().max_seqlen();
        let last = wanted.iter().copied().max().unwrap_or(0);
        let mut rotary = self.rotary.lock().unwrap_or_else(PoisonError::into_inner);
        if rotary.n_positions() < longest {
            rotary.grow(longest.next_power_of_two().max(LEAST_POSITIONS));
        }

        let mut x = ops::embedding(&self.embeddings, tokens);
        if wanted.contains(&0) {
            visit(0, &x);
        }
        for (n, layer) in self.layers.iter().enumerate().take(last) {
            if abandonment.is_declared() {
                return Err(DeviceError::Abandoned);
            }
            x = layer.forward(x, tokens, &rotary, self.gelu());
            let state = n + 1;
            if wanted.contains(&state) {
                // As in HF's `hidden_states`, only the last layer's output is normalised.
                if state == self.layers.len() {
                    visit(state, &self.final_norm.forward(&x));
                } else {
                    visit(state, &x);
                }
            }
        }
        Ok(())
    }
}

impl Encoder for Esm2 {
    fn submit(
        &self,
        tokens: &Tokens,
        question: &Question,
        abandonment: &Abandonment,
    ) -> Result<Results, DeviceError> {
        let start = Instant::now();
        let n_layers = self.layers.len();
        let mut answers: Vec<Option<Tensor<2>>> = vec![None; question.columns.len()];
        let layers = question.layers(n_layers);
        self.hidden_states(tokens, &layers, abandonment, |state, x| {
            for (column, answer) in question.columns.iter().zip(&mut answers) {
                if column.content.layer(n_layers) != state {
                    continue;
                }
                *answer = Some(match column.content {
                    Content::Pooled { pooling, .. } => {
                        ops::narrowed(ops::pool(x, tokens, pooling), column.dtype)
                    }
                    Content::States { positions, .. } => {
                        ops::select(x, tokens, positions, column.dtype)
                    }
                    Content::Pieces { .. } => ops::select_pieces(x, tokens, column.dtype),
                    Content::Logits { .. } => {
                        unreachable!("models without a head are not asked for it")
                    }
                });
            }
        })?;
        let answers = answers.into_iter();
        let answers = answers.map(|answer| answer.expect("every wanted state was visited"));
        Results::start(answers.collect(), tokens, start)
    }
}

impl Layer {
    /// Reads the weights of a layer: what makes it on a device.
    fn read(
        config: &Config,
        reader: &Reader,
        name: &str,
    ) -> Result<impl FnOnce(&Device) -> Self + Clone + use<>, ModelError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let mut weight = Vec::with_capacity(3 * hidden * hidden);
        let mut bias = Vec::with_capacity(3 * hidden);
        for part in ["query", "key", "value"] {
            let part = format!("{name}.attention.self.{part}");
            weight.extend(
                reader
                    .weights
                    .read(&format!("{part}.weight"), &[hidden, hidden])?,
            );
            bias.extend(reader.weights.read(&format!("{part}.bias"), &[hidden])?);
        }
        let weight = reader.numbers(weight, [3 * hidden, hidden]);
        let bias = reader.numbers(bias, [3 * hidden]);
        let linear =
            |part: &str, n_out, n_in| reader.linear(&format!("{name}.{part}"), n_out, n_in);
        let attention_norm = reader.layer_norm(config, &format!("{name}.attention.LayerNorm"))?;
        let attention_output = linear("attention.output.dense", hidden, hidden)?;
        let feed_forward_norm = reader.layer_norm(config, &format!("{name}.LayerNorm"))?;
        let expand = linear("intermediate.dense", intermediate, hidden)?;
        let contract = linear("output.dense", hidden, intermediate)?;
        Ok(move |device: &Device| Self {
            attention_norm: attention_norm(device),
            qkv: Linear::new(weight.on(device), bias.on(device)),
            attention_output: attention_output(device),
            feed_forward_norm: feed_forward_norm(device),
            expand: expand(device),
            contract: contract(device),
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        tokens: &Tokens,
        rotary: &RotaryTable,
        gelu: Epilogue<'_>,
    ) -> Tensor<2> {
        let normal = self.attention_norm.forward(&x);
        let qkv = self.qkv.forward(normal, Epilogue::None);
        let context = ops::attention(&qkv, tokens, rotary);
        let x = self
            .attention_output
            .forward(context, Epilogue::Residual(&x));
        let normal = self.feed_forward_norm.forward(&x);
        let expanded = self.expand.forward(normal, gelu);
        self.contract.forward(expanded, Epilogue::Residual(&x))
    }
}

/// What `make` makes on each of `chosen`, in their order. What it holds is copied for all but the last.
fn on_each<T>(chosen: &[Chosen], make: impl FnOnce(&Device) -> T + Clone) -> Vec<T> {
    let makers = iter::repeat_n(make, chosen.len()).zip(chosen);
    makers.map(|(make, chosen)| make(&chosen.device)).collect()
}

/// Reads weights and brings them into the model's number format.
struct Reader<'a> {
    weights: &'a Weights,
    dtype: Dtype,
}

impl Reader<'_> {
    /// Numbers in the model's format.
    fn numbers<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Numbers<D> {
        Numbers::new(values, shape, self.dtype)
    }

    /// What makes a linear layer on a device.
    fn linear(
        &self,
        name: &str,
        n_out: usize,
        n_in: usize,
    ) -> Result<impl FnOnce(&Device) -> Linear + Clone + use<>, ModelError> {
        let weight = self
            .weights
            .read(&format!("{name}.weight"), &[n_out, n_in])?;
        let bias = self.weights.read(&format!("{name}.bias"), &[n_out])?;
        let weight = self.numbers(weight, [n_out, n_in]);
        let bias = self.numbers(bias, [n_out]);
        Ok(move |device: &Device| Linear::new(weight.on(device), bias.on(device)))
    }

    /// What makes a layer norm on a device. Scale and shift stay in f32: they are small, and rounding them
    /// would gain nothing.
    fn layer_norm(
        &self,
        config: &Config,
        name: &str,
    ) -> Result<impl FnOnce(&Device) -> LayerNorm + Clone + use<>, ModelError> {
        let hidden = config.hidden_size;
        let weight = self.weights.read(&format!("{name}.weight"), &[hidden])?;
        let bias = self.weights.read(&format!("{name}.bias"), &[hidden])?;
        let weight = Numbers::new(weight, [hidden], Dtype::F32);
        let bias = Numbers::new(bias, [hidden], Dtype::F32);
        let epsilon = config.layer_norm_epsilon;
        Ok(move |device: &Device| LayerNorm::new(weight.on(device), bias.on(device), epsilon))
    }
}
