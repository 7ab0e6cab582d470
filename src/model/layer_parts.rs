//! The parts of layers: their weights in f32, and the numbers that devices get.

use crate::{
    job::Dtype,
    ops::{Code, LayerNorm, Linear, Numbers, QuantisedWeights},
};
use burn::tensor::Device;
use rayon::prelude::*;
use std::borrow::Cow;

/// The weights of a linear layer in f32.
pub(super) struct LinearWeights {
    /// `[out, in]`.
    pub(super) weight: Vec<f32>,
    /// `[out]`.
    pub(super) bias: Vec<f32>,
    /// Outputs and inputs.
    pub(super) shape: [usize; 2],
}

/// Scale and shift of a layer norm in f32, `[hidden]` each.
#[derive(Clone)]
pub(super) struct NormWeights {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) epsilon: f64,
}

/// A linear layer in main memory, in the format that it will have.
#[derive(Clone)]
pub(super) enum LinearNumbers {
    /// Weights and bias.
    Full(Numbers<2>, Numbers<1>),
    /// Weights that are of 8-bit numbers, with their bias.
    Quantised(QuantisedWeights),
}

/// A layer norm in main memory.
#[derive(Clone)]
pub(super) struct NormNumbers {
    weight: Numbers<1>,
    bias: Numbers<1>,
    epsilon: f64,
}

impl LinearWeights {
    /// The layer with weights and bias in these formats.
    pub(super) fn in_formats(self, weights: Dtype, bias: Dtype) -> LinearNumbers {
        full(self.shape, (self.weight, weights), (self.bias, bias))
    }

    /// The same of a layer that is kept.
    pub(super) fn copy_in_formats(&self, weights: Dtype, bias: Dtype) -> LinearNumbers {
        full(self.shape, (&self.weight, weights), (&self.bias, bias))
    }

    /// The layer of 8-bit numbers.
    pub(super) fn quantised(self) -> LinearNumbers {
        let weights = QuantisedWeights::new(&self.weight, self.shape, self.bias, Code::Signed);
        LinearNumbers::Quantised(weights)
    }

    /// The layer of 8-bit numbers behind GELU, whose bias makes up for what rounding the weights changes in the mean.
    /// `means` are those of its inputs, `[in]`.
    pub(super) fn quantised_behind_gelu(self, means: &[f64]) -> LinearNumbers {
        let mut weights = QuantisedWeights::new(&self.weight, self.shape, self.bias, Code::Gelu);
        let n_in = means.len();
        let rows = self.weight.par_chunks(n_in).enumerate();
        let lost: Vec<f64> = rows
            .map(|(n, row)| {
                let lost = row.iter().zip(weights.row(n));
                let terms = lost.zip(means);
                terms
                    .map(|((weight, rounded), mean)| f64::from(weight - rounded) * mean)
                    .sum()
            })
            .collect();
        add(weights.bias_mut(), &lost);
        LinearNumbers::Quantised(weights)
    }

    /// Adds what the weights make of `inputs`, `[in]`, to the bias.
    pub(super) fn add_to_bias(&mut self, inputs: &[f64]) {
        add(&mut self.bias, &products(&self.weight, inputs));
    }

    /// Takes `terms` off the outputs from this one on.
    pub(super) fn subtract_from_bias(&mut self, from: usize, terms: &[f64]) {
        subtract(&mut self.bias[from..], terms);
    }
}

impl NormWeights {
    /// Takes `means` off what comes out.
    pub(super) fn shift(&mut self, means: &[f64]) {
        subtract(&mut self.bias, means);
    }

    /// Scale and shift stay in f32: they are small, and rounding them would gain nothing.
    pub(super) fn numbers(self) -> NormNumbers {
        let hidden = self.weight.len();
        NormNumbers {
            weight: Numbers::new(self.weight, [hidden], Dtype::F32),
            bias: Numbers::new(self.bias, [hidden], Dtype::F32),
            epsilon: self.epsilon,
        }
    }
}

impl LinearNumbers {
    /// The layer on `device`.
    pub(super) fn on(self, device: &Device) -> Linear {
        match self {
            Self::Full(weight, bias) => Linear::new(weight.on(device), bias.on(device)),
            Self::Quantised(weights) => Linear::quantised(weights, device),
        }
    }
}

impl NormNumbers {
    /// The layer norm on `device`.
    pub(super) fn on(self, device: &Device) -> LayerNorm {
        LayerNorm::new(self.weight.on(device), self.bias.on(device), self.epsilon)
    }
}

/// A linear layer whose weights and bias are in these formats.
fn full<'a, T: Into<Cow<'a, [f32]>>>(
    shape @ [n_out, _]: [usize; 2],
    (weight, weights): (T, Dtype),
    (bias, biases): (T, Dtype),
) -> LinearNumbers {
    LinearNumbers::Full(
        Numbers::new(weight, shape, weights),
        Numbers::new(bias, [n_out], biases),
    )
}

/// What a matrix, `[out, in]`, makes of inputs, `[in]`.
fn products(matrix: &[f32], inputs: &[f64]) -> Vec<f64> {
    let rows = matrix.par_chunks(inputs.len());
    let outputs = rows.map(|row| {
        let terms = row.iter().zip(inputs);
        terms
            .map(|(weight, input)| f64::from(*weight) * input)
            .sum()
    });
    outputs.collect()
}

fn add(to: &mut [f32], terms: &[f64]) {
    for (to, term) in to.iter_mut().zip(terms) {
        *to = (f64::from(*to) + term) as f32;
    }
}

fn subtract(from: &mut [f32], terms: &[f64]) {
    for (from, term) in from.iter_mut().zip(terms) {
        *from = (f64::from(*from) - term) as f32;
    }
}
