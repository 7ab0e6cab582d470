//! Linear layers, with what follows them fused in.

use super::{
    Epilogue, LayerNorm,
    backend::Backend,
    cpu,
    quantised::{Code, QuantisedLinear, QuantisedWeights, quantise},
};
use burn::tensor::{Device, Tensor};

/// A linear layer.
pub struct Linear(Form);

/// What a linear layer multiplies, in the order that suits what computes. Biases are `[out]`.
enum Form {
    /// Weights as PyTorch stores them, `[out, in]`.
    Rows(Box<Tensor<2>>, Tensor<1>),
    /// Weights for the CPU.
    Packed(cpu::Packed, Tensor<1>),
    /// Weights that are bytes. So are the inputs, then.
    Quantised(Box<QuantisedLinear>),
}

impl Linear {
    /// From weights, `[out, in]`, as PyTorch stores them, and bias, `[out]`, which is in the number format of
    /// activations. On the CPU that is f32, and weights may be in bf16 where [`super::lacking`] says nothing.
    pub fn new(weight: Tensor<2>, bias: Tensor<1>) -> Self {
        Self(match Backend::of(&bias) {
            Backend::Cpu => Form::Packed(cpu::Packed::new(weight), bias),
            _ => Form::Rows(Box::new(weight), bias),
        })
    }

    /// From weights that are bytes, on `device`.
    pub fn quantised(weights: QuantisedWeights, device: &Device) -> Self {
        let linear = QuantisedLinear::new(weights, device);
        Self(Form::Quantised(Box::new(linear)))
    }

    /// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]`.
    pub fn forward(&self, x: Tensor<2>, epilogue: Epilogue<'_>) -> Tensor<2> {
        match &self.0 {
            Form::Packed(weight, bias) => cpu::linear(x, weight, bias, epilogue),
            #[cfg(feature = "cuda")]
            Form::Rows(weight, bias) if Backend::of(&x) == Backend::Cuda => {
                super::cuda::linear(&x, weight, bias, epilogue)
            }
            Form::Rows(weight, bias) => linear_plain(x, weight, bias, epilogue),
            Form::Quantised(linear) => linear.forward(&quantise(&x, linear.input()), epilogue),
        }
    }

    /// [`forward`](Self::forward) of what `norm` makes of `x`, `[T, in]`.
    pub fn forward_normal(
        &self,
        norm: &LayerNorm,
        x: &Tensor<2>,
        epilogue: Epilogue<'_>,
    ) -> Tensor<2> {
        match &self.0 {
            Form::Quantised(linear) if linear.input() == Code::Signed => {
                linear.forward(&norm.forward_quantised(x), epilogue)
            }
            _ => self.forward(norm.forward(x), epilogue),
        }
    }
}

/// A feed-forward layer: `x`, `[T, hidden]`, plus what `contract` makes of GELU of what `expand` makes of what `norm`
/// makes of `x`. `gelu` is the form of GELU.
pub fn feed_forward(
    x: &Tensor<2>,
    norm: &LayerNorm,
    expand: &Linear,
    contract: &Linear,
    gelu: Epilogue<'_>,
) -> Tensor<2> {
    match (&expand.0, &contract.0) {
        (Form::Packed(wide, wide_bias), Form::Packed(narrow, narrow_bias)) => {
            let normal = norm.forward(x);
            cpu::feed_forward(normal, (wide, wide_bias), (narrow, narrow_bias), x)
        }
        (Form::Quantised(wide), Form::Quantised(narrow))
            if (wide.input(), narrow.input()) == (Code::Signed, Code::Gelu) =>
        {
            let expanded = wide.forward_quantised(&norm.forward_quantised(x));
            narrow.forward(&expanded, Epilogue::Residual(x))
        }
        _ => {
            let expanded = expand.forward_normal(norm, x, gelu);
            contract.forward(expanded, Epilogue::Residual(x))
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
    epilogue.plain(x.matmul(weight.clone().transpose()) + bias.clone().unsqueeze())
}
