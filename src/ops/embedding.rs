//! Token embedding.

use burn::tensor::{Int, Tensor};

/// The rows of `table`, `[vocabulary, hidden]`, that `input_ids`, `[T]`, names: `[T, hidden]`.
pub fn embedding(table: &Tensor<2>, input_ids: Tensor<1, Int>) -> Tensor<2> {
    table.clone().select(0, input_ids)
}
