//! What follows a product, fused into it.

use burn::tensor::Tensor;

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
