//! Varlen attention: sequences and blocks of queries over threads, keys and components over
//! vectors.
//!
//! First every head's keys are rotated and laid out in panels of [`PANEL`] keys, and its values row
//! by row. Then each task takes a block of queries of one sequence through all heads, a few
//! queries at a time: all their scores, softmax, and the weighted sum of values. The scores of a
//! few queries fit in the first-level cache, so that nothing has to be rescaled on the way.

use super::{
    super::{RotaryTable, Segments},
    contiguous, simd, tensor,
};
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Keys whose scores are computed together: two AVX2 registers.
const PANEL: usize = 16;
/// Queries that go through a head together, which reuses each loaded key and value this often.
const QUERIES: usize = 4;
/// Queries of one task. Smaller tasks would fetch keys and values more often, larger ones would
/// leave cores without work at the end of a batch.
const QUERIES_PER_TASK: usize = 64;
/// The width of rows of values is a multiple of this.
const COMPONENTS: usize = 8;

/// See [`attention`](super::super::attention()).
pub(in super::super) fn attention(
    qkv: &Tensor<2>,
    segments: &Segments,
    rotary: &RotaryTable,
) -> Tensor<2> {
    let [n_tokens, width] = qkv.dims();
    let hidden = width / 3;
    let qkv = contiguous(qkv.clone());
    let heads = Heads {
        qkv: qkv.storage(),
        hidden,
        head_dim: rotary.head_dim(),
        n_heads: hidden / rotary.head_dim(),
        scale: 1.0 / (rotary.head_dim() as f32).sqrt(),
        rotary,
    };
    let arch = Arch::new();

    let prepared_len = segments
        .ranges()
        .map(|range| heads.n_heads * heads.prepared_len(range.len()))
        .sum();
    let mut prepared = vec![0f32; prepared_len];
    let mut preparations = Vec::new();
    let mut rest = prepared.as_mut_slice();
    for range in segments.ranges() {
        for head in 0..heads.n_heads {
            let (memory, remaining) = rest.split_at_mut(heads.prepared_len(range.len()));
            rest = remaining;
            preparations.push((range.clone(), head, memory));
        }
    }
    preparations
        .into_par_iter()
        .for_each(|(range, head, memory)| {
            arch.dispatch(Prepare {
                heads: &heads,
                range,
                head,
                memory,
            });
        });

    let mut output = vec![0f32; n_tokens * hidden];
    let mut tasks = Vec::new();
    let mut rest_output = output.as_mut_slice();
    let mut rest_prepared = prepared.as_slice();
    for range in segments.ranges() {
        let length = heads.n_heads * heads.prepared_len(range.len());
        let (prepared, remaining) = rest_prepared.split_at(length);
        rest_prepared = remaining;
        for start in range.clone().step_by(QUERIES_PER_TASK) {
            let queries = start..range.end.min(start + QUERIES_PER_TASK);
            let (rows, remaining) = rest_output.split_at_mut(queries.len() * hidden);
            rest_output = remaining;
            tasks.push((range.clone(), queries, prepared, rows));
        }
    }
    tasks.into_par_iter().for_each_init(
        || Scratch::new(heads.head_dim),
        |scratch, (range, queries, prepared, rows)| {
            arch.dispatch(Attend {
                heads: &heads,
                range,
                queries,
                prepared,
                scratch,
                rows,
            });
        },
    );
    tensor(output, [n_tokens, hidden])
}

/// What all tasks of a call share.
struct Heads<'a> {
    /// `[T, 3 * hidden]`.
    qkv: &'a [f32],
    hidden: usize,
    head_dim: usize,
    n_heads: usize,
    /// Of the scores; it is applied to the queries before they are rotated.
    scale: f32,
    rotary: &'a RotaryTable,
}

/// Prepares one head of one sequence.
struct Prepare<'a> {
    heads: &'a Heads<'a>,
    range: Range<usize>,
    head: usize,
    memory: &'a mut [f32],
}

impl WithSimd for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.heads.prepare(self.range, self.head, self.memory);
    }
}

/// Takes a block of queries of one sequence through all heads.
struct Attend<'a> {
    heads: &'a Heads<'a>,
    range: Range<usize>,
    queries: Range<usize>,
    prepared: &'a [f32],
    scratch: &'a mut Scratch,
    rows: &'a mut [f32],
}

impl WithSimd for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            heads,
            range,
            queries,
            prepared,
            scratch,
            rows,
        } = self;
        heads.attend(range, queries, prepared, scratch, rows);
    }
}

/// Memory that a task writes before it reads it.
struct Scratch {
    /// `[QUERIES, head_dim]`.
    queries: Vec<f32>,
    /// `[QUERIES, keys padded to panels]`.
    scores: Vec<f32>,
    /// `[head_dim]`.
    rotated: Vec<f32>,
}

impl Scratch {
    fn new(head_dim: usize) -> Self {
        Self {
            queries: vec![0.0; QUERIES * head_dim],
            scores: Vec::new(),
            rotated: vec![0.0; head_dim],
        }
    }
}

impl Heads<'_> {
    /// Floats that one head of a sequence of `length` tokens is prepared into: its keys, then its
    /// values.
    fn prepared_len(&self, length: usize) -> usize {
        self.keys_len(length) + length * self.value_width()
    }

    fn keys_len(&self, length: usize) -> usize {
        length.next_multiple_of(PANEL) * self.head_dim
    }

    fn value_width(&self) -> usize {
        self.head_dim.next_multiple_of(COMPONENTS)
    }

    /// Part `part` (0 queries, 1 keys, 2 values) of one head of one token, `[head_dim]`.
    #[inline(always)]
    fn part(&self, token: usize, part: usize, head: usize) -> &[f32] {
        let start = (3 * token + part) * self.hidden + head * self.head_dim;
        &self.qkv[start..][..self.head_dim]
    }

    /// `x * scale`, rotated by `position`.
    #[inline(always)]
    fn rotate(&self, x: &[f32], scale: f32, position: usize, output: &mut [f32]) {
        let (cos, sin) = (self.rotary.cos(position), self.rotary.sin(position));
        let half = self.head_dim / 2;
        let (low, high) = x.split_at(half);
        let (output_low, output_high) = output.split_at_mut(half);
        for i in 0..half {
            let (a, b) = (low[i] * scale, high[i] * scale);
            output_low[i] = a * cos[i] - b * sin[i];
            output_high[i] = b * cos[i] + a * sin[i];
        }
    }

    /// Writes one head's keys as `[panels, head_dim, PANEL]`, zero where the last panel has no key,
    /// and its values as `[L, value_width]`, zero beyond `head_dim`.
    #[inline(always)]
    fn prepare(&self, range: Range<usize>, head: usize, memory: &mut [f32]) {
        let (keys, values) = memory.split_at_mut(self.keys_len(range.len()));
        let mut rotated = vec![0f32; self.head_dim];
        for (position, token) in range.enumerate() {
            self.rotate(self.part(token, 1, head), 1.0, position, &mut rotated);
            let panel = &mut keys[position / PANEL * PANEL * self.head_dim..];
            for (d, &x) in rotated.iter().enumerate() {
                panel[d * PANEL + position % PANEL] = x;
            }
            let row = &mut values[position * self.value_width()..];
            row[..self.head_dim].copy_from_slice(self.part(token, 2, head));
        }
    }

    /// Attention of `queries`, which are tokens of the sequence `range`, to that sequence, through
    /// all heads: `rows` is `[queries, hidden]`.
    #[inline(always)]
    fn attend(
        &self,
        range: Range<usize>,
        queries: Range<usize>,
        prepared: &[f32],
        scratch: &mut Scratch,
        rows: &mut [f32],
    ) {
        let length = range.len();
        let padded = length.next_multiple_of(PANEL);
        scratch.scores.resize(QUERIES * padded, 0.0);
        for (head, memory) in prepared.chunks_exact(self.prepared_len(length)).enumerate() {
            let (keys, values) = memory.split_at(self.keys_len(length));
            for block in queries.clone().step_by(QUERIES) {
                let n_queries = QUERIES.min(queries.end - block);
                // Queries beyond the last one keep old values; their results are not written.
                for (i, query) in scratch
                    .queries
                    .chunks_exact_mut(self.head_dim)
                    .take(n_queries)
                    .enumerate()
                {
                    let part = self.part(block + i, 0, head);
                    self.rotate(
                        part,
                        self.scale,
                        block + i - range.start,
                        &mut scratch.rotated,
                    );
                    query.copy_from_slice(&scratch.rotated);
                }
                let largest = self.scores(&scratch.queries, keys, length, &mut scratch.scores);
                let normalisers = exponentials(&mut scratch.scores, padded, length, largest);
                let first_row = (block - queries.start) * self.hidden + head * self.head_dim;
                self.weighted_values(
                    &scratch.scores,
                    padded,
                    values,
                    normalisers,
                    n_queries,
                    &mut rows[first_row..],
                );
            }
        }
    }

    /// The scores of [`QUERIES`] queries, `[QUERIES, padded]`, and the largest of each query.
    #[inline(always)]
    fn scores(
        &self,
        queries: &[f32],
        keys: &[f32],
        length: usize,
        scores: &mut [f32],
    ) -> [f32; QUERIES] {
        let padded = length.next_multiple_of(PANEL);
        let mut largest = [[f32::NEG_INFINITY; PANEL]; QUERIES];
        for (panel, keys) in keys.chunks_exact(PANEL * self.head_dim).enumerate() {
            let (keys, _) = keys.as_chunks::<PANEL>();
            let mut sums = [[0f32; PANEL]; QUERIES];
            for (d, keys) in keys.iter().enumerate() {
                for (i, sums) in sums.iter_mut().enumerate() {
                    let query = queries[i * self.head_dim + d];
                    for (sum, &key) in sums.iter_mut().zip(keys) {
                        *sum = key.mul_add(query, *sum);
                    }
                }
            }
            if (panel + 1) * PANEL > length {
                // Keys beyond the last one must not be seen by the softmax.
                for sums in &mut sums {
                    sums[length % PANEL..].fill(f32::NEG_INFINITY);
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                scores[i * padded + panel * PANEL..][..PANEL].copy_from_slice(sums);
                for (largest, &score) in largest[i].iter_mut().zip(sums) {
                    *largest = if score > *largest { score } else { *largest };
                }
            }
        }
        largest.map(|lanes| lanes.into_iter().fold(f32::NEG_INFINITY, f32::max))
    }

    /// The sums of the values, weighted by `weights` and divided by `normalisers`, into the first
    /// `n_queries` rows of `rows`, which lie `hidden` apart.
    #[inline(always)]
    fn weighted_values(
        &self,
        weights: &[f32],
        padded: usize,
        values: &[f32],
        normalisers: [f32; QUERIES],
        n_queries: usize,
        rows: &mut [f32],
    ) {
        let width = self.value_width();
        let mut start = 0;
        while start < width {
            // Two registers at a time while there are two: a head of 24 is 16 and 8.
            let chunk = if width - start >= PANEL {
                PANEL
            } else {
                COMPONENTS
            };
            let mut sums = [[0f32; PANEL]; QUERIES];
            if chunk == PANEL {
                weighted_sum::<PANEL>(weights, padded, values, width, start, &mut sums);
            } else {
                weighted_sum::<COMPONENTS>(weights, padded, values, width, start, &mut sums);
            }
            let n_components = chunk.min(self.head_dim - start);
            for i in 0..n_queries {
                let row = &mut rows[i * self.hidden + start..][..n_components];
                for (y, &sum) in row.iter_mut().zip(&sums[i]) {
                    *y = sum * normalisers[i];
                }
            }
            start += chunk;
        }
    }
}

/// Turns scores into `exp(score − largest)`; returns one over the sum of each query.
#[inline(always)]
fn exponentials(
    scores: &mut [f32],
    padded: usize,
    length: usize,
    largest: [f32; QUERIES],
) -> [f32; QUERIES] {
    let mut normalisers = [0f32; QUERIES];
    for (i, row) in scores.chunks_exact_mut(padded).enumerate() {
        let mut sums = [0f32; PANEL];
        let (chunks, _) = row.as_chunks_mut::<PANEL>();
        for chunk in chunks {
            for (sum, score) in sums.iter_mut().zip(chunk) {
                *score = simd::exp_of_negative(*score - largest[i]);
                *sum += *score;
            }
        }
        // Where the last panel has no key, the scores of −∞ have become 1.6e-38, which adding to a
        // sum of at least 1 does not change.
        row[length..].fill(0.0);
        normalisers[i] = 1.0 / sums.iter().sum::<f32>();
    }
    normalisers
}

/// Adds up `WIDTH` components of the values from `start` on, weighted, into `sums`.
#[inline(always)]
fn weighted_sum<const WIDTH: usize>(
    weights: &[f32],
    padded: usize,
    values: &[f32],
    value_width: usize,
    start: usize,
    sums: &mut [[f32; PANEL]; QUERIES],
) {
    let mut lanes = [[0f32; WIDTH]; QUERIES];
    for (j, row) in values.chunks_exact(value_width).enumerate() {
        let row: &[f32; WIDTH] = row[start..][..WIDTH]
            .try_into()
            .expect("the slice has this length");
        for (i, lanes) in lanes.iter_mut().enumerate() {
            let weight = weights[i * padded + j];
            for (lane, &value) in lanes.iter_mut().zip(row) {
                *lane = value.mul_add(weight, *lane);
            }
        }
    }
    for (sums, lanes) in sums.iter_mut().zip(&lanes) {
        sums[..WIDTH].copy_from_slice(lanes);
    }
}
