//! From the weights of a model to its parts on devices.

use super::{
    Config, ModelError,
    layer_parts::{LinearNumbers, LinearWeights, NormNumbers, NormWeights},
    weights::Weights,
};
use crate::{job::Dtype, ops::Numbers};

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

    /// The weights of a linear layer.
    pub(super) fn linear_weights(
        &self,
        name: &str,
        n_out: usize,
        n_in: usize,
    ) -> Result<LinearWeights, ModelError> {
        let shape = [n_out, n_in];
        Ok(LinearWeights {
            weight: self.weights.read(&format!("{name}.weight"), &shape)?,
            bias: self.weights.read(&format!("{name}.bias"), &[n_out])?,
            shape,
        })
    }

    /// Scale and shift of a layer norm.
    pub(super) fn norm_weights(
        &self,
        config: &Config,
        name: &str,
    ) -> Result<NormWeights, ModelError> {
        let hidden = [config.hidden_size];
        Ok(NormWeights {
            weight: self.weights.read(&format!("{name}.weight"), &hidden)?,
            bias: self.weights.read(&format!("{name}.bias"), &hidden)?,
            epsilon: config.layer_norm_epsilon,
        })
    }

    /// A linear layer.
    pub(super) fn linear(
        &self,
        name: &str,
        n_out: usize,
        n_in: usize,
    ) -> Result<LinearNumbers, ModelError> {
        let weights = self.linear_weights(name, n_out, n_in)?;
        Ok(weights.in_formats(self.products, self.dtype))
    }

    /// A layer norm.
    pub(super) fn layer_norm(
        &self,
        config: &Config,
        name: &str,
    ) -> Result<NormNumbers, ModelError> {
        Ok(self.norm_weights(config, name)?.numbers())
    }
}
