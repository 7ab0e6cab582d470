//! ESM-2: embedding, transformer layers, final layer norm.
//!
//! Follows `modeling_esm.py` of HF transformers, which follows Meta's fair-esm: token embeddings
//! scaled for token dropout, pre-layer-norm blocks, rotary positions, the erf form of GELU.

use super::{
    Config, Encoder, ModelError,
    contact_head::ContactHead,
    form::Form,
    head::LmHead,
    layer::Layer,
    layer_weights::{LayerWeights, Means},
    layout::EMBEDDINGS,
    reader::Reader,
    trial::{Accuracy, Trial},
    weights::Weights,
};
use crate::{
    alphabet::VOCABULARY_SIZE,
    cancel::Abandonment,
    device::{Chosen, DeviceError},
    job::{Content, OutputDtype, Products, Question},
    ops::{self, ContactMaps, LayerNorm, Results, RotaryTable, Tokens},
};
use burn::tensor::{Device, Tensor};
use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// ESM-2 on a device.
pub(super) struct Esm2 {
    form: Form,
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

/// A model on each of some devices.
pub(super) struct Loaded {
    /// A model a device.
    pub(super) models: Vec<Esm2>,
    /// How close it is to what it is without 8-bit numbers, if it has any.
    pub(super) accuracy: Option<Accuracy>,
}

/// Rotary tables grow in steps of at least this many positions.
const LEAST_POSITIONS: usize = 1024 + 2;

/// The share of tokens that were chosen for masking in training, times the share of those that
/// became `<mask>`.
const MASKED_IN_TRAINING: f32 = 0.15 * 0.8;

impl Esm2 {
    /// Reads the weights of `config` once and puts them on each of `chosen`: a model a device, in their order. One with
    /// products of 8-bit numbers is compared with what it is without them.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape, or the first device fails while the model is tried there.
    pub(super) fn load(
        config: &Config,
        weights: &Weights,
        chosen: &[Chosen],
        form: Form,
    ) -> Result<Loaded, ModelError> {
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
            form,
            embeddings: embeddings.on(device),
            token_dropout,
            layers: Vec::with_capacity(config.n_layers),
            final_norm: final_norm.on(device),
            head: head.map(|head| head(device)),
            contact_head,
            rotary: Mutex::new(Arc::new(RotaryTable::new(frequencies, 0))),
        };
        let mut models = on_each(chosen, make);
        // The first one is tried for all, and all get the same numbers.
        let mut trial = match (models.first(), chosen.first()) {
            (Some(model), Some(chosen)) if form.products != Products::NONE => {
                let tokens = Trial::tokens(chosen, form, config.head_dim())?;
                let rotary = model.rotary(tokens.segments().max_seqlen());
                let embed = || model.embed(&tokens);
                Some(Trial::new(
                    &chosen.device,
                    form,
                    rotary,
                    (embed(), embed()),
                    tokens,
                ))
            }
            _ => None,
        };
        // Layer by layer, so that main memory never holds the whole model.
        for n in 0..config.n_layers {
            let weights = LayerWeights::read(config, &reader, &format!("encoder.layer.{n}"))?;
            let means = match &mut trial {
                None => Means::default(),
                Some(trial) => trial.means(weights.full(form))?,
            };
            let numbers = weights.numbers(form, &means);
            let layers = on_each(chosen, |device: &Device| numbers.on(device));
            if let (Some(trial), Some(layer)) = (&mut trial, layers.first()) {
                trial.go_through(layer);
            }
            for (model, layer) in models.iter_mut().zip(layers) {
                model.layers.push(layer);
            }
        }
        let accuracy = match (trial, models.first()) {
            (Some(trial), Some(model)) => Some(trial.finish(&model.final_norm)?),
            _ => None,
        };
        Ok(Loaded { models, accuracy })
    }

    /// Its layers.
    #[cfg(test)]
    pub(super) fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// What the model makes of a batch first: `[T, hidden]`.
    fn embed(&self, tokens: &Tokens) -> Tensor<2> {
        ops::embedding(&self.embeddings, tokens, self.token_dropout)
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

        let mut x = self.embed(tokens);
        if wanted.contains(&0) {
            visit(0, &x);
        }
        for (n, layer) in self.layers.iter().enumerate().take(last) {
            if abandonment.is_declared() {
                return Err(DeviceError::Abandoned);
            }
            x = layer.forward(x, tokens, &rotary, self.form.gelu(), |qkv| {
                see(n, qkv, &rotary);
            });
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

/// What `make` makes on each of `chosen`, in their order. What it holds is copied for all but the last.
fn on_each<T>(chosen: &[Chosen], make: impl FnOnce(&Device) -> T + Clone) -> Vec<T> {
    let makers = iter::repeat_n(make, chosen.len()).zip(chosen);
    makers.map(|(make, chosen)| make(&chosen.device)).collect()
}
