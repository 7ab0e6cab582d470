//! A model with products of 8-bit numbers, tried while it is loaded: what it has to know of its activations, and how
//! close it comes to what it is without them.

use super::{
    ModelError,
    form::Form,
    layer::{Input, Layer, LayerNumbers},
    layer_weights::Means,
};
use crate::{
    alphabet::encode,
    device::{Chosen, DeviceError},
    job::Pooling,
    ops::{self, LayerNorm, RotaryTable, Stager, StagerOptions, Tokens},
};
use burn::tensor::{Device, Tensor};
use std::sync::Arc;

/// Proteins that go through a model twice while it is loaded, layer by layer: with products of 8-bit numbers, and without.
pub(super) struct Trial {
    device: Device,
    form: Form,
    proteins: Vec<Protein>,
    tokens: Tokens,
    rotary: Arc<RotaryTable>,
    /// `[T, hidden]`, as the model is without 8-bit numbers.
    full: Tensor<2>,
    /// `[T, hidden]`.
    quantised: Tensor<2>,
}

/// How close a model with products of 8-bit numbers is to what it is without them, by the pooled vectors of proteins
/// that come with the program.
#[derive(Clone, Debug, PartialEq)]
pub struct Accuracy {
    /// Proteins that were compared.
    pub n_proteins: usize,
    /// The least cosine of the pooled vectors of a protein.
    pub least: f64,
    /// The protein that it is of, by its id.
    pub least_id: String,
}

/// A protein that comes with the program.
struct Protein {
    id: &'static str,
    /// Its residues, of which all are amino acids.
    sequence: Vec<u8>,
    purpose: Purpose,
}

/// What a protein is tried for. None is for both: a model must not be measured with what it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The means of activations are of its residues.
    Means,
    /// Its vectors are compared.
    Check,
}

/// Reviewed proteins of as many organisms, from UniProt (CC BY 4.0): 23 of 50 to 265 residues, and 16 others of 42 to
/// 399. Their definition lines have their accessions. None is known to lyse cells or to be toxic, as models
/// for such peptides are likely to be measured with them.
const PROTEINS: [(Purpose, &str); 2] = [
    (Purpose::Means, include_str!("trial/calibration.fasta")),
    (Purpose::Check, include_str!("trial/check.fasta")),
];

impl Trial {
    /// The proteins on a device, where a model with heads of dimension `head_dim` gets them.
    ///
    /// # Errors
    /// If the device has no memory for them.
    pub(super) fn tokens(
        chosen: &Chosen,
        form: Form,
        head_dim: usize,
    ) -> Result<Tokens, DeviceError> {
        let (mut input_ids, mut cu_seqlens) = (Vec::new(), vec![0]);
        for protein in proteins() {
            encode(&protein.sequence, &mut input_ids);
            cu_seqlens.push(input_ids.len() as i32);
        }
        let options = StagerOptions {
            token_budget: input_ids.len(),
            n_slots: 1,
            poisoned: false,
            lost_at: None,
        };
        Stager::new(chosen, form.activations, head_dim, options)?.stage(input_ids, &cu_seqlens)
    }

    /// A trial with `tokens` of [`Self::tokens`], and what the model embeds them as, twice. `rotary` is long enough for
    /// the longest of them.
    pub(super) fn new(
        device: &Device,
        form: Form,
        rotary: Arc<RotaryTable>,
        (full, quantised): (Tensor<2>, Tensor<2>),
        tokens: Tokens,
    ) -> Self {
        Self {
            device: device.clone(),
            form,
            proteins: proteins().collect(),
            tokens,
            rotary,
            full,
            quantised,
        }
    }

    /// The means of what goes into those products of the next layer that are to be of 8-bit numbers. `layer` is
    /// without them, and so is all before it.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn means(&mut self, layer: LayerNumbers) -> Result<Means, DeviceError> {
        let layer = layer.on(&self.device);
        let products = self.form.products;
        let mut means = Means::default();
        let see = |input: Input, x: &Tensor<2>| {
            let (is_wanted, to) = match input {
                Input::Qkv => (products.qkv, &mut means.qkv),
                Input::AttentionOutput => (products.output, &mut means.attention_output),
                Input::Expand => (products.expand, &mut means.expand),
                Input::Contract => (products.contract, &mut means.contract),
            };
            if is_wanted {
                *to = self.mean(x)?;
            }
            Ok(())
        };
        let x = self.full.clone();
        self.full = layer.forward_watched(x, &self.tokens, &self.rotary, self.form.gelu(), see)?;
        Ok(means)
    }

    /// Goes through the next layer, as it is with 8-bit numbers.
    pub(super) fn go_through(&mut self, layer: &Layer) {
        let x = self.quantised.clone();
        self.quantised = layer.forward(x, &self.tokens, &self.rotary, self.form.gelu(), |_| ());
    }

    /// How close the two came, behind the last layer.
    ///
    /// # Errors
    /// If the device fails, or the model gives what is no number without 8-bit numbers, too.
    pub(super) fn finish(self, final_norm: &LayerNorm) -> Result<Accuracy, ModelError> {
        let pooled = |x: &Tensor<2>| self.pooled(&final_norm.forward(x));
        let (full, quantised) = (pooled(&self.full)?, pooled(&self.quantised)?);
        let compared = self.proteins.iter().zip(full.iter().zip(&quantised));
        let compared = compared.filter(|(protein, _)| protein.purpose == Purpose::Check);
        let mut accuracy = Accuracy {
            n_proteins: 0,
            least: f64::INFINITY,
            least_id: String::new(),
        };
        for (protein, (full, quantised)) in compared {
            if !full.iter().all(|value| value.is_finite()) {
                return Err(ModelError::NotFinite {
                    id: protein.id.to_owned(),
                    length: protein.sequence.len() as u32,
                    dtype: self.form.activations.name(),
                });
            }
            let cosine = cosine(full, quantised);
            accuracy.n_proteins += 1;
            if cosine < accuracy.least {
                accuracy.least = cosine;
                protein.id.clone_into(&mut accuracy.least_id);
            }
        }
        Ok(accuracy)
    }

    /// The mean vector of the residues of each protein in `x`, `[T, width]`.
    fn pooled(&self, x: &Tensor<2>) -> Result<Vec<Vec<f32>>, DeviceError> {
        let [_, width] = x.dims();
        let pooled = ops::pool(x, &self.tokens, Pooling::Mean);
        let pooled = ops::values(pooled)?.to_f32();
        Ok(pooled.chunks(width).map(<[f32]>::to_vec).collect())
    }

    /// The mean of `x`, `[T, width]`, over the residues of the proteins that are for that. BOS and EOS, which a protein
    /// has one of, are left out.
    fn mean(&self, x: &Tensor<2>) -> Result<Vec<f64>, DeviceError> {
        let pooled = self.pooled(x)?;
        let mut mean = vec![0.0; x.dims()[1]];
        let mut n_residues = 0;
        for (protein, pooled) in self.proteins.iter().zip(pooled) {
            if protein.purpose == Purpose::Means {
                let length = protein.sequence.len();
                n_residues += length;
                for (mean, value) in mean.iter_mut().zip(pooled) {
                    *mean += length as f64 * f64::from(value);
                }
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= n_residues as f64);
        Ok(mean)
    }
}

/// All proteins that come with the program for this.
fn proteins() -> impl Iterator<Item = Protein> {
    PROTEINS.into_iter().flat_map(|(purpose, fasta)| {
        let records = fasta.split('>').skip(1);
        records.map(move |record| {
            let (definition, sequence) = record.split_once('\n').unwrap_or((record, ""));
            Protein {
                id: definition.split(' ').next().unwrap_or(definition),
                sequence: sequence.bytes().filter(u8::is_ascii_uppercase).collect(),
                purpose,
            }
        })
    })
}

/// The cosine of two vectors. What is no number, or nothing, has no direction: that is 0.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    match cosine.is_finite() {
        true => cosine,
        false => 0.0,
    }
}

#[cfg(test)]
mod tests;
