//! What a model computes in.

use crate::{
    job::{Dtype, GeluForm, Products},
    ops::Epilogue,
};

/// What a model computes in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    /// The number format of the weights of linear layers, and so of what is multiplied with them.
    pub(super) weights: Dtype,
    /// The number format of everything else.
    pub(super) activations: Dtype,
    /// How GELU is computed.
    pub(super) gelu: GeluForm,
    /// Which products of each layer are of 8-bit numbers instead.
    pub(super) products: Products,
}

impl Form {
    /// The form of GELU to compute. The tanh form is fused into the product before it.
    pub(super) fn gelu(self) -> Epilogue<'static> {
        match self.gelu {
            GeluForm::Erf => Epilogue::Gelu,
            GeluForm::Tanh => Epilogue::GeluTanh,
        }
    }
}
