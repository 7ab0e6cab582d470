//! A linear layer of bytes.

use super::{
    super::{Epilogue, backend::Backend, dtype::tensor},
    code::{BLOCK, Code},
    rows::{HostRows, Place, Quantised},
    weights::QuantisedWeights,
};
use crate::job::Dtype;
#[cfg(feature = "cuda")]
use crate::ops::cuda;
use burn::tensor::{DType, Device, Tensor};
use rayon::prelude::*;

/// A linear layer of bytes.
pub struct QuantisedLinear {
    input: Code,
    weights: Weights,
}

/// Where weights are.
enum Weights {
    /// In main memory, with their folded bias.
    Host(QuantisedWeights, Vec<f32>),
    /// On a GPU.
    #[cfg(feature = "cuda")]
    Cuda(Box<cuda::QuantisedWeights>),
}

impl QuantisedLinear {
    /// The layer on `device`.
    pub fn new(weights: QuantisedWeights, device: &Device) -> Self {
        let bias = weights.folded_bias();
        let n_out = bias.len();
        let bias_there: Tensor<1> = tensor(bias.clone(), [n_out], device, Dtype::F32);
        Self {
            input: weights.input,
            weights: match Backend::of(&bias_there) {
                #[cfg(feature = "cuda")]
                Backend::Cuda => {
                    let n_scales = weights.scales.len();
                    let scales: Tensor<1> = tensor(weights.scales, [n_scales], device, Dtype::F32);
                    Weights::Cuda(Box::new(cuda::QuantisedWeights::new(
                        weights.bytes,
                        (weights.n_in, weights.input),
                        &scales,
                        &bias_there,
                    )))
                }
                _ => Weights::Host(weights, bias),
            },
        }
    }

    /// Which numbers its inputs stand for.
    pub fn input(&self) -> Code {
        self.input
    }

    /// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]` in the format of activations. GELU is computed in the erf
    /// form, whichever is asked for: the tanh form is for those to whom it is cheaper.
    ///
    /// # Panics
    /// If `x` is elsewhere, or its bytes stand for other numbers than those of [`Self::input`].
    pub fn forward(&self, x: &Quantised, epilogue: Epilogue<'_>) -> Tensor<2> {
        match (&x.0, &self.weights) {
            (Place::Host(x), Weights::Host(weights, bias)) => {
                product_plain(x, weights, bias, epilogue).cast(x.dtype)
            }
            #[cfg(feature = "cuda")]
            (Place::Cuda(x), Weights::Cuda(weights)) => {
                cuda::quantised_linear(x, weights, epilogue)
            }
            #[cfg(feature = "cuda")]
            _ => panic!("a model's activations are where its weights are"),
        }
    }

    /// GELU of `x W^T + b` as bytes in [`Code::Gelu`]: `[T, in]` to `[T, out]`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_quantised(&self, x: &Quantised) -> Quantised {
        match (&x.0, &self.weights) {
            (Place::Host(x), Weights::Host(weights, bias)) => {
                let y = product_plain(x, weights, bias, Epilogue::Gelu);
                Quantised::plain(&y, Code::Gelu, x.dtype)
            }
            #[cfg(feature = "cuda")]
            (Place::Cuda(x), Weights::Cuda(weights)) => cuda::quantised_expand(x, weights).into(),
            #[cfg(feature = "cuda")]
            _ => panic!("a model's activations are where its weights are"),
        }
    }
}

/// The product by its definition, then the epilogue, in f32: sums of products of bytes are exact, and f64 holds what
/// they are multiplied with.
fn product_plain(
    x: &HostRows,
    weights: &QuantisedWeights,
    bias: &[f32],
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    assert_eq!((x.code, x.width), (weights.input, weights.n_in));
    let (n_in, n_out) = (weights.n_in, bias.len());
    let width = match x.code {
        Code::Signed => n_in,
        Code::Gelu => BLOCK,
    };
    let n_scales = x.code.n_scales(n_in);
    let rows = x.bytes.par_chunks(n_in).zip(x.scales.par_chunks(n_scales));
    let y = rows.flat_map_iter(|(bytes, scales)| {
        (0..n_out).map(move |n| {
            let channel = &weights.bytes[n * n_in..][..n_in];
            let blocks = bytes.chunks(width).zip(channel.chunks(width));
            let sum: f64 = blocks
                .zip(scales)
                .map(|((bytes, channel), &scale)| {
                    let products = bytes.iter().zip(channel);
                    // 2^31 is the sum of 66,000 products of the largest bytes, and no row is so long. Sums that are
                    // asked at each step whether they overflow are no matter of vectors.
                    let sum = products.fold(0_i32, |sum, (&x, &w)| {
                        sum.wrapping_add(i32::from(x).wrapping_mul(i32::from(w)))
                    });
                    f64::from(sum) * f64::from(scale) * f64::from(weights.scales[n])
                })
                .sum();
            (sum + f64::from(bias[n])) as f32
        })
    });
    let n_rows = x.bytes.len() / n_in;
    let y = tensor(y.collect(), [n_rows, n_out], &x.device, Dtype::F32);
    match epilogue {
        Epilogue::Residual(residual) => y + residual.clone().cast(DType::F32),
        Epilogue::GeluTanh => Epilogue::Gelu.plain(y),
        _ => epilogue.plain(y),
    }
}
