//! Layer normalisation.

use super::{
    backend::Backend,
    cpu,
    quantised::{Code, Quantised},
};
use burn::tensor::{DType, Tensor};

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

    /// The same as bytes in [`Code::Signed`], rounded once.
    pub fn forward_quantised(&self, x: &Tensor<2>) -> Quantised {
        match Backend::of(x) {
            #[cfg(feature = "cuda")]
            Backend::Cuda => {
                let epsilon = self.epsilon as f32;
                super::cuda::layer_norm_quantised(x, &self.weight, &self.bias, epsilon).into()
            }
            _ => {
                let normal = self.forward(&x.clone().cast(DType::F32));
                Quantised::plain(&normal, Code::Signed, x.dtype())
            }
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
