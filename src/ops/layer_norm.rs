//! Layer normalisation.

use super::{backend::Backend, cpu};
use burn::tensor::Tensor;

/// Layer normalisation over the last dimension, with scale and shift.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
}

impl LayerNorm {
    /// From scale and shift, `[hidden]` each, and the number added to the variance.
    pub fn new(weight: Tensor<1>, bias: Tensor<1>, epsilon: f64) -> Self {
        Self {
            weight,
            bias,
            epsilon,
        }
    }

    /// `(x − mean) / sqrt(variance + epsilon) * weight + bias`, row by row of `x`, `[T, hidden]`.
    pub fn forward(&self, x: &Tensor<2>) -> Tensor<2> {
        let epsilon = self.epsilon as f32;
        match Backend::of(x) {
            #[cfg(feature = "cuda")]
            Backend::Cuda => super::cuda::layer_norm(x, &self.weight, &self.bias, epsilon),
            Backend::Cpu => cpu::layer_norm(x, &self.weight, &self.bias, epsilon),
            Backend::Plain => self.forward_plain(x),
        }
    }

    /// [`forward`](Self::forward) in burn operations.
    pub fn forward_plain(&self, x: &Tensor<2>) -> Tensor<2> {
        let mean = x.clone().mean_dim(1);
        let centred = x.clone() - mean;
        let variance = (centred.clone() * centred.clone()).mean_dim(1);
        let normal = centred / (variance + self.epsilon).sqrt();
        normal * self.weight.clone().unsqueeze() + self.bias.clone().unsqueeze()
    }
}
