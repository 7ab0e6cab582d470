//! ESM-2: embedding, transformer layers, final layer norm.
//!
//! Follows `modeling_esm.py` of HF transformers, which follows Meta's fair-esm: token embeddings
//! scaled for token dropout, pre-layer-norm blocks, rotary positions, the erf form of GELU.

use super::{
    Config, Encoder, ModelError, contact_head::ContactHead, head::LmHead, layout::EMBEDDINGS,
    reader::Reader, weights::Weights,
};
use crate::{
    alphabet::VOCABULARY_SIZE,
    cancel::Abandonment,
    device::{Chosen, DeviceError},
    job::{Content, Dtype, GeluForm, OutputDtype, Question},
    ops::{self, ContactMaps, Epilogue, LayerNorm, Linear, Numbers, Results, RotaryTable, Tokens},
};
use burn::tensor::{Device, Tensor};
use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// ESM-2 on a device.
pub(super) struct Esm2 {
    gelu: GeluForm,
    /// `[VOCABULARY_SIZE, hidden]`, token-dropout scale included.
    embeddings: Tensor<2>,
    token_dropout: bool,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
    /// What answers questions for logits, if the files have it.
    head: Option<LmHead>,
    /// What predicts contacts, if the model does.
    contact_head: Option<ContactHead>,
    /// Grows to the longest sequence seen.
    rotary: Mutex<Arc<RotaryTable>>,
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
    /// The number format of the weights of linear layers, and so of what is multiplied with them.
    pub(super) weights: Dtype,
    /// The number format of everything else.
    pub(super) activations: Dtype,
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
            products: form.weights,
            dtype: form.activations,
        };
        let hidden = config.hidden_size;
        let mut embeddings = weights.read(EMBEDDINGS, &[VOCABULARY_SIZE, hidden])?;
        if config.token_dropout {
            // What it becomes in sequences with masks is the matter of `ops::embedding`.
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
        let head = match LmHead::check(config, weights) {
            Ok(()) => Some(LmHead::read(config, weights)?),
            Err(_) => None,
        };
        let contact_head = ContactHead::read(config, weights).ok();
        let token_dropout = config.token_dropout;
        let make = move |device: &Device| Self {
            gelu: form.gelu,
            embeddings: embeddings.on(device),
            token_dropout,
            layers: Vec::with_capacity(config.n_layers),
            final_norm: final_norm(device),
            head: head.map(|head| head(device)),
            contact_head,
            rotary: Mutex::new(Arc::new(RotaryTable::new(frequencies, 0))),
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

    /// The rotary table, for sequences of so many tokens at least. It is shared: others compute meanwhile.
    fn rotary(&self, longest: usize) -> Arc<RotaryTable> {
        let mut rotary = self.rotary.lock().unwrap_or_else(PoisonError::into_inner);
        if rotary.n_positions() < longest {
            let n_positions = longest.next_power_of_two().max(LEAST_POSITIONS);
            Arc::make_mut(&mut rotary).grow(n_positions);
        }
        rotary.clone()
    }

    /// The form of GELU to compute. The tanh form is fused into the product before it.
    fn gelu(&self) -> Epilogue<'static> {
        match self.gelu {
            GeluForm::Erf => Epilogue::Gelu,
            GeluForm::Tanh => Epilogue::GeluTanh,
        }
    }

    /// Calls `visit` with the index and value, `[T, hidden]`, of every hidden state that `wanted`
    /// names, in rising order. States beyond the last one wanted are not computed. Before, `see` gets the queries
    /// and keys of each layer that is computed, with its number from 0.
    ///
    /// # Errors
    /// The run was abandoned meanwhile. On a CPU a batch of a large model takes long.
    fn hidden_states(
        &self,
        tokens: &Tokens,
        wanted: &[usize],
        abandonment: &Abandonment,
        mut see: impl FnMut(usize, &Tensor<2>, &RotaryTable),
        mut visit: impl FnMut(usize, &Tensor<2>),
    ) -> Result<(), DeviceError> {
        let longest = tokens.segments().max_seqlen();
        let last = wanted.iter().copied().max().unwrap_or(0);
        let rotary = self.rotary(longest);

        let mut x = ops::embedding(&self.embeddings, tokens, self.token_dropout);
        if wanted.contains(&0) {
            visit(0, &x);
        }
        for (n, layer) in self.layers.iter().enumerate().take(last) {
            if abandonment.is_declared() {
                return Err(DeviceError::Abandoned);
            }
            x = layer.forward(x, tokens, &rotary, self.gelu(), |qkv| see(n, qkv, &rotary));
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
        let head = self
            .contact_head
            .as_ref()
            .filter(|_| question.needs_contacts());
        let mut maps = None;
        let see = |layer: usize, qkv: &Tensor<2>, rotary: &RotaryTable| {
            if let Some(head) = head {
                let maps = maps.get_or_insert_with(|| ContactMaps::new(qkv, tokens));
                maps.add(qkv, tokens, rotary, head.of_layer(layer));
            }
        };
        self.hidden_states(tokens, &layers, abandonment, see, |state, x| {
            for (column, answer) in question.columns.iter().zip(&mut answers) {
                if column.content.layer(n_layers) != state || column.content.is_of_contacts() {
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
                    Content::Logits { positions } => {
                        let states = ops::select(x, tokens, positions, OutputDtype::F32);
                        let head = self.head.as_ref();
                        head.expect("models without a head are not asked for logits")
                            .forward(states)
                    }
                    Content::Contacts | Content::ContactPairs(_) => {
                        unreachable!("they are not made of hidden states")
                    }
                });
            }
        })?;
        let contacts = head.zip(maps).map(|(head, maps)| maps.finish(head.bias));
        for (column, answer) in question.columns.iter().zip(&mut answers) {
            if column.content.is_of_contacts() {
                answer.clone_from(&contacts);
            }
        }
        let answers = answers.into_iter();
        let answers = answers.map(|answer| answer.expect("every wanted state was visited"));
        Results::start(answers.collect(), tokens, start)
    }

    fn attention(&self, tokens: &Tokens, visit: &mut dyn FnMut(&[f32])) -> Result<(), DeviceError> {
        let mut failed = None;
        let see = |_, qkv: &Tensor<2>, rotary: &RotaryTable| {
            if failed.is_none() {
                match ops::attention_maps(qkv, tokens, rotary) {
                    Ok(maps) => visit(&maps),
                    Err(error) => failed = Some(error),
                }
            }
        };
        let last = [self.layers.len()];
        self.hidden_states(tokens, &last, &Abandonment::default(), see, |_, _| {})?;
        failed.map_or(Ok(()), Err)
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
        let weight = Numbers::new(weight, [3 * hidden, hidden], reader.products);
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
        see: impl FnOnce(&Tensor<2>),
    ) -> Tensor<2> {
        let qkv = self
            .qkv
            .forward_normal(&self.attention_norm, &x, Epilogue::None);
        see(&qkv);
        let context = ops::attention(&qkv, tokens, rotary);
        ops::recycle(qkv);
        let attended = self
            .attention_output
            .forward(context, Epilogue::Residual(&x));
        ops::recycle(x);
        let norm = &self.feed_forward_norm;
        let y = ops::feed_forward(&attended, norm, &self.expand, &self.contract, gelu);
        ops::recycle(attended);
        y
    }
}

/// What `make` makes on each of `chosen`, in their order. What it holds is copied for all but the last.
fn on_each<T>(chosen: &[Chosen], make: impl FnOnce(&Device) -> T + Clone) -> Vec<T> {
    let makers = iter::repeat_n(make, chosen.len()).zip(chosen);
    makers.map(|(make, chosen)| make(&chosen.device)).collect()
}
