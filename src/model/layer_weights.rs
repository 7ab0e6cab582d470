//! The weights of a layer, from files to the numbers that devices get.

use super::{
    Config, ModelError,
    form::Form,
    layer::LayerNumbers,
    layer_parts::{LinearWeights, NormWeights},
    reader::Reader,
};

/// The weights of a layer in f32.
pub(super) struct LayerWeights {
    attention_norm: NormWeights,
    /// Queries, keys and values, one below the other.
    qkv: LinearWeights,
    attention_output: LinearWeights,
    feed_forward_norm: NormWeights,
    expand: LinearWeights,
    contract: LinearWeights,
}

/// The mean of each component of what goes into each product of a layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Means {
    /// `[hidden]`.
    pub(super) qkv: Vec<f64>,
    /// `[hidden]`.
    pub(super) attention_output: Vec<f64>,
    /// `[hidden]`.
    pub(super) expand: Vec<f64>,
    /// `[intermediate]`.
    pub(super) contract: Vec<f64>,
}

impl LayerWeights {
    /// Reads the weights of the layer that is called so.
    ///
    /// # Errors
    /// If one is missing, has another shape, or cannot be read.
    pub(super) fn read(config: &Config, reader: &Reader, name: &str) -> Result<Self, ModelError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let linear =
            |part: &str, n_out, n_in| reader.linear_weights(&format!("{name}.{part}"), n_out, n_in);
        let norm = |part: &str| reader.norm_weights(config, &format!("{name}.{part}"));
        let mut qkv = LinearWeights {
            weight: Vec::with_capacity(3 * hidden * hidden),
            bias: Vec::with_capacity(3 * hidden),
            shape: [3 * hidden, hidden],
        };
        for part in ["query", "key", "value"] {
            let part = linear(&format!("attention.self.{part}"), hidden, hidden)?;
            qkv.weight.extend(part.weight);
            qkv.bias.extend(part.bias);
        }
        Ok(Self {
            qkv,
            attention_norm: norm("attention.LayerNorm")?,
            attention_output: linear("attention.output.dense", hidden, hidden)?,
            feed_forward_norm: norm("LayerNorm")?,
            expand: linear("intermediate.dense", intermediate, hidden)?,
            contract: linear("output.dense", hidden, intermediate)?,
        })
    }

    /// The layer without 8-bit numbers.
    pub(super) fn full(&self, form: Form) -> LayerNumbers {
        let full = |linear: &LinearWeights| linear.copy_in_formats(form.weights, form.activations);
        LayerNumbers {
            attention_norm: self.attention_norm.clone().numbers(),
            qkv: full(&self.qkv),
            attention_output: full(&self.attention_output),
            feed_forward_norm: self.feed_forward_norm.clone().numbers(),
            expand: full(&self.expand),
            contract: full(&self.contract),
        }
    }

    /// The layer in which those products are of 8-bit numbers that `form` names. `means` are those of their inputs.
    ///
    /// Bytes of a row are whole multiples of its greatest number, so what all rows have in common costs precision. It is
    /// taken off in front of the product and added behind it, multiplied by the weights: that changes nothing but
    /// rounding. Layer norms shift by it, and what attention gives out does where values do, as probabilities add up
    /// to one. Behind GELU nothing can be taken off. There the mean error that rounded weights make is taken off the
    /// bias.
    pub(super) fn numbers(mut self, form: Form, means: &Means) -> LayerNumbers {
        let products = form.products;
        if products.qkv {
            self.attention_norm.shift(&means.qkv);
            self.qkv.add_to_bias(&means.qkv);
        }
        if products.output {
            let hidden = means.attention_output.len();
            let values = self.qkv.bias.len() - hidden;
            self.qkv.subtract_from_bias(values, &means.attention_output);
            self.attention_output.add_to_bias(&means.attention_output);
        }
        if products.expand {
            self.feed_forward_norm.shift(&means.expand);
            self.expand.add_to_bias(&means.expand);
        }
        let full = |linear: LinearWeights| linear.in_formats(form.weights, form.activations);
        let product = |is_quantised, linear: LinearWeights| match is_quantised {
            true => linear.quantised(),
            false => full(linear),
        };
        LayerNumbers {
            attention_norm: self.attention_norm.numbers(),
            qkv: product(products.qkv, self.qkv),
            attention_output: product(products.output, self.attention_output),
            feed_forward_norm: self.feed_forward_norm.numbers(),
            expand: product(products.expand, self.expand),
            contract: match products.contract {
                true => self.contract.quantised_behind_gelu(&means.contract),
                false => full(self.contract),
            },
        }
    }
}
