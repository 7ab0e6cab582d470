//! Varlen self-attention with rotary positions.

use super::{RotaryTable, Segments, Tokens, backend::Backend, cpu};
use burn::tensor::{Tensor, TensorData, activation};

/// Bidirectional attention of every token to the tokens of its own sequence.
///
/// `qkv` is `[T, 3 * hidden]`: queries, keys and values side by side, heads inside each. Queries
/// and keys are rotated by their positions, which restart at 0 with each sequence, and scores are
/// scaled by `1 / sqrt(head_dim)`. The result is `[T, hidden]`.
///
/// # Panics
/// If `rotary` covers fewer positions than the longest sequence has, or the shapes disagree.
pub fn attention(qkv: &Tensor<2>, tokens: &Tokens, rotary: &RotaryTable) -> Tensor<2> {
    let segments = tokens.segments();
    assert!(
        rotary.n_positions() >= segments.max_seqlen(),
        "the rotary table covers {} positions of {}",
        rotary.n_positions(),
        segments.max_seqlen()
    );
    match Backend::of(qkv) {
        #[cfg(feature = "cuda")]
        Backend::Cuda => super::cuda::attention(qkv, tokens.gpu_batch(), rotary),
        Backend::Cpu => cpu::attention(qkv, segments, rotary),
        Backend::Plain => attention_plain(qkv, segments, rotary),
    }
}

/// [`attention`] in burn operations, one sequence after the other.
pub fn attention_plain(qkv: &Tensor<2>, segments: &Segments, rotary: &RotaryTable) -> Tensor<2> {
    let [_, width] = qkv.dims();
    let hidden = width / 3;
    let head_dim = rotary.head_dim();
    let n_heads = hidden / head_dim;
    let scale = 1.0 / (head_dim as f64).sqrt();

    let outputs = segments.ranges().map(|range| {
        let length = range.len();
        // [heads, L, head_dim]
        let part = |n: usize| -> Tensor<3> {
            qkv.clone()
                .slice([range.clone(), n * hidden..(n + 1) * hidden])
                .reshape([length, n_heads, head_dim])
                .swap_dims(0, 1)
        };
        let (cos, sin) = angles(length, rotary, qkv);
        let queries = rotate(part(0) * scale, &cos, &sin);
        let keys = rotate(part(1), &cos, &sin);
        let scores = queries.matmul(keys.swap_dims(1, 2));
        let context = activation::softmax(scores, 2).matmul(part(2));
        context.swap_dims(0, 1).reshape([length, hidden])
    });
    Tensor::cat(outputs.collect(), 0)
}

/// Cosines and sines of the first `length` positions, `[1, length, head_dim]` each.
pub(super) fn angles(
    length: usize,
    rotary: &RotaryTable,
    like: &Tensor<2>,
) -> (Tensor<3>, Tensor<3>) {
    let head_dim = rotary.head_dim();
    let tensor = |row: fn(&RotaryTable, usize) -> &[f32]| {
        // Both halves of a head turn by the same angles.
        let values: Vec<f32> = (0..length)
            .flat_map(|position| row(rotary, position).repeat(2))
            .collect();
        let data = TensorData::new(values, [1, length, head_dim]);
        Tensor::<3>::from_data(data, (&like.device(), like.dtype()))
    };
    (tensor(RotaryTable::cos), tensor(RotaryTable::sin))
}

/// `x * cos + rotate_half(x) * sin`, with `x`: `[heads, L, head_dim]`.
pub(super) fn rotate(x: Tensor<3>, cos: &Tensor<3>, sin: &Tensor<3>) -> Tensor<3> {
    let halves = x.clone().chunk(2, 2);
    let turned = Tensor::cat(vec![halves[1].clone().neg(), halves[0].clone()], 2);
    x * cos.clone() + turned * sin.clone()
}
