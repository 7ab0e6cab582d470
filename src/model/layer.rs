//! One transformer layer.

use super::layer_parts::{LinearNumbers, NormNumbers};
use crate::ops::{self, Epilogue, LayerNorm, Linear, RotaryTable, Tokens};
use burn::tensor::{Device, Tensor};

/// One transformer layer.
pub(super) struct Layer {
    attention_norm: LayerNorm,
    /// Queries, keys and values in one product: `[3 * hidden, hidden]`.
    qkv: Linear,
    attention_output: Linear,
    feed_forward_norm: LayerNorm,
    expand: Linear,
    contract: Linear,
}

/// The numbers of a layer in main memory, in the formats that they will have.
#[derive(Clone)]
pub(super) struct LayerNumbers {
    pub(super) attention_norm: NormNumbers,
    pub(super) qkv: LinearNumbers,
    pub(super) attention_output: LinearNumbers,
    pub(super) feed_forward_norm: NormNumbers,
    pub(super) expand: LinearNumbers,
    pub(super) contract: LinearNumbers,
}

/// A product of a layer, by what goes into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// What becomes queries, keys and values.
    Qkv,
    /// What attention gives out.
    AttentionOutput,
    /// What the feed-forward layer widens.
    Expand,
    /// What GELU makes of that.
    Contract,
}

impl LayerNumbers {
    /// The layer on `device`.
    pub(super) fn on(self, device: &Device) -> Layer {
        Layer {
            attention_norm: self.attention_norm.on(device),
            qkv: self.qkv.on(device),
            attention_output: self.attention_output.on(device),
            feed_forward_norm: self.feed_forward_norm.on(device),
            expand: self.expand.on(device),
            contract: self.contract.on(device),
        }
    }
}

impl Layer {
    /// From one hidden state to the next, `[T, hidden]`. `see` gets queries, keys and values, `[T, 3 * hidden]`.
    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        tokens: &Tokens,
        rotary: &RotaryTable,
        gelu: Epilogue<'_>,
        see: impl FnOnce(&Tensor<2>),
    ) -> Tensor<2> {
        let qkv = self
            .qkv
            .forward_normal(&self.attention_norm, &x, Epilogue::None);
        see(&qkv);
        let context = ops::attention(&qkv, tokens, rotary);
        ops::recycle(qkv);
        let attended = self
            .attention_output
            .forward(context, Epilogue::Residual(&x));
        ops::recycle(x);
        let norm = &self.feed_forward_norm;
        let y = ops::feed_forward(&attended, norm, &self.expand, &self.contract, gelu);
        ops::recycle(attended);
        y
    }

    /// The same of a layer that is not of 8-bit numbers, product by product: `see` gets what goes into each,
    /// `[T, in]`.
    ///
    /// # Errors
    /// Those of `see`.
    pub(super) fn forward_watched<E>(
        &self,
        x: Tensor<2>,
        tokens: &Tokens,
        rotary: &RotaryTable,
        gelu: Epilogue<'_>,
        mut see: impl FnMut(Input, &Tensor<2>) -> Result<(), E>,
    ) -> Result<Tensor<2>, E> {
        let normal = self.attention_norm.forward(&x);
        see(Input::Qkv, &normal)?;
        let qkv = self.qkv.forward(normal, Epilogue::None);
        let context = ops::attention(&qkv, tokens, rotary);
        see(Input::AttentionOutput, &context)?;
        let attended = self
            .attention_output
            .forward(context, Epilogue::Residual(&x));
        let normal = self.feed_forward_norm.forward(&attended);
        see(Input::Expand, &normal)?;
        let expanded = self.expand.forward(normal, gelu);
        see(Input::Contract, &expanded)?;
        Ok(self
            .contract
            .forward(expanded, Epilogue::Residual(&attended)))
    }
}
