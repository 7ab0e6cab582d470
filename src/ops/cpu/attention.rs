//! Varlen attention: sequences and blocks of queries over threads, keys and components over
//! vectors.
//!
//! First every head's keys are rotated and laid out in panels of two registers of keys, and its
//! values row by row. Then each task takes a block of queries of one sequence through all heads, a few
//! queries at a time: all their scores, softmax, and the weighted sum of values. The scores of a
//! few queries fit in the first-level cache, so that nothing has to be rescaled on the way.

use super::{
    super::{RotaryTable, Segments},
    Lanes, contiguous, simd, tensor,
};
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Queries that go through a head together, which reuses each loaded key and value this often. With
/// two registers a query, their sums fill half of the sixteen registers of AVX2.
const QUERIES: usize = 4;
/// Queries of one task. Smaller tasks would fetch keys and values more often, larger ones would
/// leave cores without work at the end of a batch.
const QUERIES_PER_TASK: usize = 64;

/// See [`attention`](super::super::attention()).
pub(in super::super) fn attention(
    qkv: &Tensor<2>,
    segments: &Segments,
    rotary: &RotaryTable,
) -> Tensor<2> {
    attention_on(Arch::new(), qkv, segments, rotary)
}

/// [`attention`] with the vectors of `arch`.
pub(super) fn attention_on(
    arch: Arch,
    qkv: &Tensor<2>,
    segments: &Segments,
    rotary: &RotaryTable,
) -> Tensor<2> {
    let [n_tokens, width] = qkv.dims();
    let hidden = width / 3;
    let qkv = contiguous(qkv.clone());
    let heads = Heads {
        lanes: arch.dispatch(Lanes),
        qkv: qkv.storage(),
        hidden,
        head_dim: rotary.head_dim(),
        n_heads: hidden / rotary.head_dim(),
        scale: 1.0 / (rotary.head_dim() as f32).sqrt(),
        rotary,
    };

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
    /// Numbers in a register.
    lanes: usize,
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
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            heads,
            range,
            queries,
            prepared,
            scratch,
            rows,
        } = self;
        heads.attend(simd, range, queries, prepared, scratch, rows);
    }
}

/// Memory that a task writes before it reads it.
struct Scratch {
    /// `[head_dim, QUERIES]`.
    queries: Vec<f32>,
    /// `[QUERIES, keys padded to panels]`.
    scores: Vec<f32>,
}

impl Scratch {
    fn new(head_dim: usize) -> Self {
        Self {
            queries: vec![0.0; QUERIES * head_dim],
            scores: Vec::new(),
        }
    }
}

impl Heads<'_> {
    /// Keys in a panel.
    #[inline(always)]
    fn panel(&self) -> usize {
        2 * self.lanes
    }

    /// Floats that one head of a sequence of `length` tokens is prepared into: its keys, then its
    /// values.
    #[inline(always)]
    fn prepared_len(&self, length: usize) -> usize {
        self.keys_len(length) + length * self.value_width()
    }

    #[inline(always)]
    fn keys_len(&self, length: usize) -> usize {
        length.next_multiple_of(self.panel()) * self.head_dim
    }

    #[inline(always)]
    fn value_width(&self) -> usize {
        self.head_dim.next_multiple_of(self.lanes)
    }

    /// Part `part` (0 queries, 1 keys, 2 values) of one head of one token, `[head_dim]`.
    #[inline(always)]
    fn part(&self, token: usize, part: usize, head: usize) -> &[f32] {
        let start = (3 * token + part) * self.hidden + head * self.head_dim;
        &self.qkv[start..][..self.head_dim]
    }

    /// Writes `x * scale`, rotated by `position`, with its components `stride` apart.
    #[inline(always)]
    fn rotate(&self, x: &[f32], scale: f32, position: usize, output: &mut [f32], stride: usize) {
        let (cos, sin) = (self.rotary.cos(position), self.rotary.sin(position));
        let half = self.head_dim / 2;
        let (low, high) = x.split_at(half);
        for i in 0..half {
            let (a, b) = (low[i] * scale, high[i] * scale);
            output[i * stride] = a * cos[i] - b * sin[i];
            output[(i + half) * stride] = b * cos[i] + a * sin[i];
        }
    }

    /// Writes one head's keys as `[panels, head_dim, panel]`, zero where the last panel has no key,
    /// and its values as `[L, value_width]`, zero beyond `head_dim`.
    #[inline(always)]
    fn prepare(&self, range: Range<usize>, head: usize, memory: &mut [f32]) {
        let (keys, values) = memory.split_at_mut(self.keys_len(range.len()));
        let panel = self.panel();
        for (position, token) in range.enumerate() {
            let start = position / panel * panel * self.head_dim + position % panel;
            let key = self.part(token, 1, head);
            self.rotate(key, 1.0, position, &mut keys[start..], panel);
            let row = &mut values[position * self.value_width()..];
            row[..self.head_dim].copy_from_slice(self.part(token, 2, head));
        }
    }

    /// Attention of `queries`, which are tokens of the sequence `range`, to that sequence, through
    /// all heads: `rows` is `[queries, hidden]`.
    #[inline(always)]
    fn attend<S: Simd>(
        &self,
        simd: S,
        range: Range<usize>,
        queries: Range<usize>,
        prepared: &[f32],
        scratch: &mut Scratch,
        rows: &mut [f32],
    ) {
        let length = range.len();
        let padded = length.next_multiple_of(self.panel());
        scratch.scores.resize(QUERIES * padded, 0.0);
        let scores = &mut scratch.scores[..QUERIES * padded];
        for (head, memory) in prepared.chunks_exact(self.prepared_len(length)).enumerate() {
            let (keys, values) = memory.split_at(self.keys_len(length));
            for block in queries.clone().step_by(QUERIES) {
                let n_queries = QUERIES.min(queries.end - block);
                // Queries beyond the last one keep old values; their results are not written.
                for i in 0..n_queries {
                    let query = self.part(block + i, 0, head);
                    let position = block + i - range.start;
                    let output = &mut scratch.queries[i..];
                    self.rotate(query, self.scale, position, output, QUERIES);
                }
                products(simd, &scratch.queries, keys, scores);
                let mut normalisers = [0f32; QUERIES];
                for (normaliser, row) in normalisers.iter_mut().zip(scores.chunks_exact_mut(padded))
                {
                    *normaliser = softmax(simd, row, length);
                }
                let first = (block - queries.start) * self.hidden + head * self.head_dim;
                self.weighted_values(
                    simd,
                    scores,
                    values,
                    normalisers,
                    n_queries,
                    &mut rows[first..],
                );
            }
        }
    }

    /// The sums of the values, weighted by the rows of `weights` and by `normalisers`, into the
    /// first `n_queries` rows of `rows`, which lie `hidden` apart.
    #[inline(always)]
    fn weighted_values<S: Simd>(
        &self,
        simd: S,
        weights: &[f32],
        values: &[f32],
        normalisers: [f32; QUERIES],
        n_queries: usize,
        rows: &mut [f32],
    ) {
        let registers = self.value_width() / S::F32_LANES;
        let (values, _) = S::as_simd_f32s(values);
        let mut register = 0;
        while register < registers {
            // Two registers at a time while there are two: more sums would not fit.
            let sums = if registers - register >= 2 {
                weighted_sums::<S, 2>(simd, weights, &values[register..], registers)
            } else {
                let sums = weighted_sums::<S, 1>(simd, weights, &values[register..], registers);
                sums.map(|[sum]| [sum, simd.splat_f32s(0.0)])
            };
            let start = register * S::F32_LANES;
            let n_components = (self.head_dim - start).min(self.panel());
            for i in 0..n_queries {
                let normaliser = simd.splat_f32s(normalisers[i]);
                let scaled = sums[i].map(|sum| simd.mul_f32s(sum, normaliser));
                let scaled: &[f32] = pulp::bytemuck::cast_slice(&scaled);
                rows[i * self.hidden + start..][..n_components]
                    .copy_from_slice(&scaled[..n_components]);
            }
            register += 2;
        }
    }
}

/// The products of [`QUERIES`] queries, `[head_dim, QUERIES]`, and all keys, `[panels, head_dim,
/// panel]`: `[QUERIES, padded keys]`.
#[inline(always)]
fn products<S: Simd>(simd: S, queries: &[f32], keys: &[f32], products: &mut [f32]) {
    let (queries, _) = queries.as_chunks::<QUERIES>();
    let (keys, _) = S::as_simd_f32s(keys);
    let (products, _) = S::as_mut_simd_f32s(products);
    let n_panels = products.len() / (2 * QUERIES);
    for (panel, keys) in keys.chunks_exact(2 * queries.len()).enumerate() {
        let mut sums = [[simd.splat_f32s(0.0); 2]; QUERIES];
        for (keys, queries) in keys.as_chunks::<2>().0.iter().zip(queries) {
            for (sums, &query) in sums.iter_mut().zip(queries) {
                let query = simd.splat_f32s(query);
                sums[0] = simd.mul_add_e_f32s(keys[0], query, sums[0]);
                sums[1] = simd.mul_add_e_f32s(keys[1], query, sums[1]);
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            products[2 * (i * n_panels + panel)..][..2].copy_from_slice(sums);
        }
    }
}

/// Turns the first `length` scores of a row into `exp(score − largest)` and the rest into 0;
/// returns one over their sum.
#[inline(always)]
fn softmax<S: Simd>(simd: S, row: &mut [f32], length: usize) -> f32 {
    // Keys beyond the last one are not there.
    row[length..].fill(f32::NEG_INFINITY);
    let largest = {
        let (row, _) = S::as_simd_f32s(row);
        let start = simd.splat_f32s(f32::NEG_INFINITY);
        let largest = row.iter().fold(start, |a, &b| simd.max_f32s(a, b));
        simd.reduce_max_f32s(largest)
    };
    for score in row.iter_mut() {
        *score = simd::exp_of_negative(*score - largest);
    }
    row[length..].fill(0.0);
    1.0 / sum(row)
}

/// The sum of a row of scores, in an order that its length alone decides.
#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    // Each register of AVX-512 holds half of them.
    const PARTS: usize = 32;
    let mut sums = [0f32; PARTS];
    let (chunks, rest) = row.as_chunks::<PARTS>();
    for chunk in chunks {
        for (sum, &score) in sums.iter_mut().zip(chunk) {
            *sum += score;
        }
    }
    for (sum, &score) in sums.iter_mut().zip(rest) {
        *sum += score;
    }
    let mut half = PARTS / 2;
    while half > 0 {
        let (low, high) = sums.split_at_mut(half);
        for (low, &high) in low.iter_mut().zip(&*high) {
            *low += high;
        }
        half /= 2;
    }
    sums[0]
}

/// The sums of `WIDTH` registers of each row of `values`, whose rows are `registers` apart, weighted
/// by the rows of `weights`.
#[inline(always)]
fn weighted_sums<S: Simd, const WIDTH: usize>(
    simd: S,
    weights: &[f32],
    values: &[S::f32s],
    registers: usize,
) -> [[S::f32s; WIDTH]; QUERIES] {
    let padded = weights.len() / QUERIES;
    let mut sums = [[simd.splat_f32s(0.0); WIDTH]; QUERIES];
    for (j, row) in values.chunks(registers).enumerate() {
        for (i, sums) in sums.iter_mut().enumerate() {
            let weight = simd.splat_f32s(weights[i * padded + j]);
            for (sum, &value) in sums.iter_mut().zip(&row[..WIDTH]) {
                *sum = simd.mul_add_e_f32s(value, weight, *sum);
            }
        }
    }
    sums
}
