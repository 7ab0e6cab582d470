//! What follows a product, fused into it.

use burn::tensor::{Tensor, activation};
use std::f64::consts::FRAC_2_PI;

/// What a linear layer does with its result before it writes it.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<'a> {
    /// Nothing more.
    None,
    /// The erf form of GELU.
    Gelu,
    /// The tanh form of GELU, which differs from the erf form by at most 4.7e-4.
    GeluTanh,
    /// Adds this, `[T, out]`.
    Residual(&'a Tensor<2>),
}

impl Epilogue<'_> {
    /// The epilogue in burn operations: `[T, out]` to `[T, out]`.
    pub(super) fn plain(self, y: Tensor<2>) -> Tensor<2> {
        match self {
            Self::None => y,
            Self::Gelu => activation::gelu(y),
            Self::GeluTanh => {
                let inner = (y.clone() + y.clone().powi_scalar(3) * 0.044_715) * FRAC_2_PI.sqrt();
                y * 0.5 * (inner.tanh() + 1.0)
            }
            Self::Residual(residual) => y + residual.clone(),
        }
    }
}
