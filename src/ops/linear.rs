//! Linear layers, with what follows them fused in.

use super::{Epilogue, backend::Backend, cpu};
use burn::tensor::{Tensor, activation};
use std::f64::consts::FRAC_2_PI;

/// A linear layer.
pub struct Linear {
    weight: Weight,
    /// `[out]`.
    bias: Tensor<1>,
}

/// The weights of a linear layer, in the order that suits what computes.
enum Weight {
    /// As PyTorch stores them, `[out, in]`.
    Rows(Box<Tensor<2>>),
    /// For the CPU.
    Packed(cpu::Packed),
}

impl Linear {
    /// From weights, `[out, in]`, as PyTorch stores them, and bias, `[out]`, which is in the number format of
    /// activations. On the CPU that is f32, and weights may be in bf16 where [`super::lacking`] says nothing.
    pub fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        let weight = match Backend::of(&bias) {
            Backend::Cpu => Weight::Packed(cpu::Packed::new(weight)),
            _ => Weight::Rows(Box::new(weight)),
        };
        Self { weight, bias }
    }

    /// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]`.
    pub fn forward(&self, x: Tensor<2>, epilogue: Epilogue<'_>) -> Tensor<2> {
        match &self.weight {
            Weight::Packed(weight) => cpu::linear(x, weight, &self.bias, epilogue),
            #[cfg(feature = "cuda")]
            Weight::Rows(weight) if Backend::of(&x) == Backend::Cuda => {
                super::cuda::linear(&x, weight, &self.bias, epilogue)
            }
            Weight::Rows(weight) => linear_plain(x, weight, &self.bias, epilogue),
        }
    }
}

/// A feed-forward layer: `residual` plus what `contract` makes of GELU of what `expand` makes of `x`, `[T, hidden]` to
/// `[T, hidden]`. `gelu` is the form of GELU.
pub fn feed_forward(
    x: Tensor<2>,
    expand: &Linear,
    contract: &Linear,
    gelu: Epilogue<'_>,
    residual: &Tensor<2>,
) -> Tensor<2> {
    match (&expand.weight, &contract.weight) {
        (Weight::Packed(wide), Weight::Packed(narrow)) => {
            cpu::feed_forward(x, (wide, &expand.bias), (narrow, &contract.bias), residual)
        }
        _ => {
            let expanded = expand.forward(x, gelu);
            contract.forward(expanded, Epilogue::Residual(residual))
        }
    }
}

/// [`Linear::forward`] in burn operations, with weights `[out, in]`.
pub fn linear_plain(
    x: Tensor<2>,
    weight: &Tensor<2>,
    bias: &Tensor<1>,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    let y = x.matmul(weight.clone().transpose()) + bias.clone().unsqueeze();
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
