//! From the vectors of a sequence's tokens to one vector.

use super::{Segments, cpu};
use crate::job::Pooling;
use burn::tensor::{DType, Tensor};

/// One vector a sequence, in f32: `[T, hidden]` to `[n, hidden]`.
///
/// A sequence is BOS, residues, EOS. [`Pooling::Mean`] and [`Pooling::Max`] run over the residues
/// only.
///
/// # Panics
/// If a sequence has no residue: such records are rejected before they are packed.
pub fn pool(hidden_states: &Tensor<2>, segments: &Segments, pooling: Pooling) -> Tensor<2> {
    assert!(
        segments.ranges().all(|range| range.len() > 2),
        "every sequence has a residue between BOS and EOS"
    );
    #[cfg(feature = "cuda")]
    if let Some(batch) = segments.gpu_batch() {
        return super::cuda::pool(hidden_states, batch, pooling);
    }
    if cpu::is_cpu(hidden_states) {
        cpu::pool(hidden_states, segments, pooling)
    } else {
        pool_plain(hidden_states, segments, pooling)
    }
}

/// [`pool`] in burn operations, one sequence after the other.
pub fn pool_plain(hidden_states: &Tensor<2>, segments: &Segments, pooling: Pooling) -> Tensor<2> {
    let vectors = segments.ranges().map(|range| {
        let tokens = match pooling {
            Pooling::Cls => range.start..range.start + 1,
            Pooling::Mean | Pooling::Max => range.start + 1..range.end - 1,
        };
        let residues = hidden_states.clone().slice([tokens]).cast(DType::F32);
        match pooling {
            Pooling::Cls => residues,
            Pooling::Mean => residues.mean_dim(0),
            Pooling::Max => residues.max_dim(0),
        }
    });
    Tensor::cat(vectors.collect(), 0)
}
