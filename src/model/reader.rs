//! From the weights of a model to its parts on devices.

use super::{Config, ModelError, weights::Weights};
use crate::{
    job::Dtype,
    ops::{LayerNorm, Linear, Numbers},
};
use burn::tensor::Device;

/// Reads weights and brings them into number formats.
pub(super) struct Reader<'a> {
    pub(super) weights: &'a Weights,
    /// The number format of the weights of linear layers.
    pub(super) products: Dtype,
    /// The number format of everything else.
    pub(super) dtype: Dtype,
}

impl Reader<'_> {
    /// Numbers in the format of all but the weights of linear layers.
    pub(super) fn numbers<const D: usize>(
        &self,
        values: Vec<f32>,
        shape: [usize; D],
    ) -> Numbers<D> {
        Numbers::new(values, shape, self.dtype)
    }

    /// What makes a linear layer on a device.
    pub(super) fn linear(
        &self,
        name: &str,
        n_out: usize,
        n_in: usize,
    ) -> Result<impl FnOnce(&Device) -> Linear + Clone + use<>, ModelError> {
        let weight = self
            .weights
            .read(&format!("{name}.weight"), &[n_out, n_in])?;
        let bias = self.weights.read(&format!("{name}.bias"), &[n_out])?;
        let weight = Numbers::new(weight, [n_out, n_in], self.products);
        let bias = self.numbers(bias, [n_out]);
        Ok(move |device: &Device| Linear::new(weight.on(device), bias.on(device)))
    }

    /// What makes a layer norm on a device. Scale and shift stay in f32: they are small, and rounding them
    /// would gain nothing.
    pub(super) fn layer_norm(
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
