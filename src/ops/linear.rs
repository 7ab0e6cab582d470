//! Linear layers, with what follows them fused in.

use super::{Epilogue, backend::Backend, cpu};
use burn::tensor::{Tensor, activation};
use std::f64::consts::FRAC_2_PI;

/// A linear layer. Weights lie as PyTorch stores them.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[out, in]`.
    weight: Tensor<2>,
    /// `[out]`.
    bias: Tensor<1>,
}

impl Linear {
    /// From weights, `[out, in]`, and bias, `[out]`.
    pub fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        Self { weight, bias }
    }

    /// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]`.
    pub fn forward(&self, x: Tensor<2>, epilogue: Epilogue<'_>) -> Tensor<2> {
        match Backend::of(&x) {
            #[cfg(feature = "cuda")]
            Backend::Cuda => super::cuda::linear(&x, &self.weight, &self.bias, epilogue),
            Backend::Cpu => {
                let product = x.matmul(self.weight.clone().transpose());
                cpu::epilogue(product, &self.bias, epilogue)
            }
            Backend::Plain => self.forward_plain(x, epilogue),
        }
    }

    /// [`forward`](Self::forward) in burn operations.
    pub fn forward_plain(&self, x: Tensor<2>, epilogue: Epilogue<'_>) -> Tensor<2> {
        let product = x.matmul(self.weight.clone().transpose());
        let y = product + self.bias.clone().unsqueeze();
        match epilogue {
            Epilogue::None => y,
            Epilogue::Gelu => activation::gelu(y),
            Epilogue::GeluTanh => {
                let inner = (y.clone() + y.clone().powi_scalar(3) * 0.044_715) * FRAC_2_PI.sqrt();
                y * 0.5 * (inner.tanh() + 1.0)
            }
            Epilogue::Residual(residual) => y + residual.clone(),
        }
    }
}
