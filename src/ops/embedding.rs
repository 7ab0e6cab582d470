//! Token embedding.

use super::Tokens;
use burn::tensor::{DType, Int, Tensor, TensorData};

/// The rows of `table`, `[vocabulary, hidden]`, that the ids of `tokens` name: `[T, hidden]`. On a
/// GPU, rows of padding follow; no operation mixes them with others.
pub fn embedding(table: &Tensor<2>, tokens: &Tokens) -> Tensor<2> {
    #[cfg(feature = "cuda")]
    if let Some(batch) = tokens.segments().gpu_batch() {
        return super::cuda::embedding(table, batch);
    }
    let input_ids = TensorData::new(tokens.input_ids().to_vec(), [tokens.input_ids().len()]);
    let input_ids = Tensor::<1, Int>::from_data(input_ids, (&table.device(), DType::I32));
    table.clone().select(0, input_ids)
}
