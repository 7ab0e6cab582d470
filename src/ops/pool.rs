//! From the vectors of a sequence's tokens to one vector.

use super::{Tokens, backend::Backend, cpu};
use crate::job::Pooling;
use burn::tensor::{DType, Device, Tensor};

/// One vector a sequence, in f32: `[T, hidden]` to `[n, hidden]`.
///
/// A sequence is BOS, residues, EOS. All poolings but [`Pooling::Cls`] run over the residues only.
///
/// # Panics
/// If a sequence has no residue: such records are rejected before they are packed.
pub fn pool(hidden_states: &Tensor<2>, tokens: &Tokens, pooling: Pooling) -> Tensor<2> {
    let segments = tokens.segments();
    assert!(
        segments.ranges().all(|range| range.len() > 2),
        "every sequence has a residue between BOS and EOS"
    );
    match Backend::of(hidden_states) {
        #[cfg(feature = "cuda")]
        Backend::Cuda => super::cuda::pool(hidden_states, tokens.gpu_batch(), pooling),
        Backend::Cpu => cpu::pool(hidden_states, segments, pooling),
        // It is little work: the CPU does it for devices that have no version of their own.
        Backend::Plain => {
            let moved = |tensor: Tensor<2>, device: &Device| {
                Tensor::<2>::from_data(tensor.into_data(), (device, DType::F32))
            };
            let in_main_memory = moved(hidden_states.clone().cast(DType::F32), &Device::flex());
            let pooled = cpu::pool(&in_main_memory, segments, pooling);
            moved(pooled, &hidden_states.device())
        }
    }
}

/// One vector of a sequence whose tokens' vectors, of `width` numbers each, are in main memory: BOS, residues, EOS.
///
/// # Panics
/// If the sequence has no residue.
pub fn pool_sequence(tokens: &[f32], width: usize, pooling: Pooling) -> Vec<f32> {
    assert!(
        tokens.len() > 2 * width,
        "every sequence has a residue between BOS and EOS"
    );
    cpu::pool_sequence(tokens, width, pooling)
}
