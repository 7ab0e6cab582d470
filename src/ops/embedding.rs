//! Token embedding.

use super::{Tokens, backend::Backend};
use burn::tensor::{DType, Int, Tensor, TensorData};

/// The rows of `table`, `[vocabulary, hidden]`, that the ids of `tokens` name: `[T, hidden]`. On a
/// GPU, rows of padding follow; no operation mixes them with others.
pub fn embedding(table: &Tensor<2>, tokens: &Tokens) -> Tensor<2> {
    match Backend::of(table) {
        #[cfg(feature = "cuda")]
        Backend::Cuda => super::cuda::embedding(table, tokens.gpu_batch()),
        // burn copies rows as well as anyone.
        Backend::Cpu | Backend::Plain => {
            let ids = tokens.input_ids();
            let ids = TensorData::new(ids.to_vec(), [ids.len()]);
            let ids = Tensor::<1, Int>::from_data(ids, (&table.device(), DType::I32));
            table.clone().select(0, ids)
        }
    }
}
