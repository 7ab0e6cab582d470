//! Token embedding, and token dropout.

use super::{Tokens, backend::Backend};
use crate::alphabet::MASK;
use burn::tensor::{DType, Int, Tensor, TensorData};

/// The rows of `table`, `[vocabulary, hidden]`, that the ids of `tokens` name: `[T, hidden]`. On a
/// GPU, rows of padding follow; no operation mixes them with others.
///
/// With `token_dropout`, those of `<mask>` become zero, and the others of its sequence are divided by the share of
/// tokens that are not masked, as dropout does in training. Sequences without masks keep their bits.
pub fn embedding(table: &Tensor<2>, tokens: &Tokens, token_dropout: bool) -> Tensor<2> {
    let drops = token_dropout && tokens.input_ids().contains(&MASK);
    match Backend::of(table) {
        #[cfg(feature = "cuda")]
        Backend::Cuda => super::cuda::embedding(table, tokens.gpu_batch(), drops),
        // burn copies rows as well as anyone.
        Backend::Cpu | Backend::Plain => {
            let ids = tokens.input_ids();
            let ids = TensorData::new(ids.to_vec(), [ids.len()]);
            let ids = Tensor::<1, Int>::from_data(ids, (&table.device(), DType::I32));
            let x = table.clone().select(0, ids);
            if drops { without_masks(x, tokens) } else { x }
        }
    }
}

/// Token dropout in burn operations.
pub fn without_masks(x: Tensor<2>, tokens: &Tokens) -> Tensor<2> {
    let n_rows = x.dims()[0];
    let divisors = TensorData::new(divisors(tokens, n_rows), [n_rows, 1]);
    let divisors = Tensor::<2>::from_data(divisors, (&x.device(), DType::F32));
    let dtype = x.dtype();
    (x.cast(DType::F32) / divisors).cast(dtype)
}

/// What each row is divided by. What is divided by infinity is zero.
fn divisors(tokens: &Tokens, n_rows: usize) -> Vec<f32> {
    let mut divisors = vec![1.0; n_rows];
    for range in tokens.segments().ranges() {
        let ids = &tokens.input_ids()[range.clone()];
        let n_masks = ids.iter().filter(|&&id| id == MASK).count();
        let kept = 1.0 - n_masks as f32 / ids.len() as f32;
        for (divisor, &id) in divisors[range].iter_mut().zip(ids) {
            *divisor = if id == MASK { f32::INFINITY } else { kept };
        }
    }
    divisors
}
