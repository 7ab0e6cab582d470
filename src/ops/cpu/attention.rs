//! Varlen attention: sequences and blocks of queries over threads, keys and components over
//! vectors.
//!
//! First every head's keys are rotated and laid out in panels of two registers of keys, and its
//! values row by row. Then each task takes a block of queries of one sequence through all heads, a few
//! queries at a time: all their scores, softmax, and the weighted sum of values. The scores of a
//! few queries fit in the first-level cache, so that nothing has to be rescaled on the way.

use super::{
    super::{RotaryTable, Segments},
    Lanes,
    attend::{PARTS, products, put, softmax, weighted_sums},
    contiguous, tensor,
};
use crate::device::spare;
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

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
    let mut prepared = spare::take(prepared_len);
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

    let mut output = spare::take(n_tokens * hidden);
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
    spare::give(prepared);
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
        // With two registers a query, their sums fill half of the registers: there are sixteen of AVX2, and 32 of others.
        if S::F32_LANES == 8 {
            heads.attend::<S, 4>(simd, range, queries, prepared, scratch, rows);
        } else {
            heads.attend::<S, 8>(simd, range, queries, prepared, scratch, rows);
        }
    }
}

/// Memory that a task writes before it reads it.
struct Scratch {
    /// `[head_dim, QUERIES]`.
    queries: Vec<f32>,
    /// One query, rotated.
    turned: Vec<f32>,
    /// `[QUERIES, keys padded to panels and to the parts of sums]`.
    scores: Vec<f32>,
}

impl Scratch {
    fn new(head_dim: usize) -> Self {
        Self {
            queries: Vec::new(),
            turned: vec![0.0; head_dim],
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

    /// Writes `x * scale`, rotated by `position`.
    #[inline(always)]
    fn rotate(&self, x: &[f32], scale: f32, position: usize, output: &mut [f32]) {
        let half = self.head_dim / 2;
        let (cos, sin) = (
            &self.rotary.cos(position)[..half],
            &self.rotary.sin(position)[..half],
        );
        let (low, high) = (&x[..half], &x[half..][..half]);
        let (output_low, output_high) = output.split_at_mut(half);
        let (output_low, output_high) = (&mut output_low[..half], &mut output_high[..half]);
        for i in 0..half {
            let (a, b) = (low[i] * scale, high[i] * scale);
            output_low[i] = a * cos[i] - b * sin[i];
            output_high[i] = b * cos[i] + a * sin[i];
        }
    }

    /// Writes one head's keys as `[panels, head_dim, panel]`, whatever where the last panel has no key,
    /// and its values as `[L, value_width]`, whatever beyond `head_dim`: neither is looked at.
    #[inline(always)]
    fn prepare(&self, range: Range<usize>, head: usize, memory: &mut [f32]) {
        let (keys, values) = memory.split_at_mut(self.keys_len(range.len()));
        let panel = self.panel();
        let mut turned = vec![0f32; self.head_dim];
        for ((position, token), row) in range
            .enumerate()
            .zip(values.chunks_exact_mut(self.value_width()))
        {
            let start = position / panel * panel * self.head_dim + position % panel;
            self.rotate(self.part(token, 1, head), 1.0, position, &mut turned);
            for (place, &value) in keys[start..].iter_mut().step_by(panel).zip(&*turned) {
                *place = value;
            }
            for (place, &value) in row.iter_mut().zip(self.part(token, 2, head)) {
                *place = value;
            }
        }
    }

    /// Attention of `queries`, which are tokens of the sequence `range`, to that sequence, through
    /// all heads: `rows` is `[queries, hidden]`.
    #[inline(always)]
    fn attend<S: Simd, const QUERIES: usize>(
        &self,
        simd: S,
        range: Range<usize>,
        queries: Range<usize>,
        prepared: &[f32],
        scratch: &mut Scratch,
        rows: &mut [f32],
    ) {
        let length = range.len();
        let padded = length.next_multiple_of(self.panel().max(PARTS));
        scratch.queries.resize(QUERIES * self.head_dim, 0.0);
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
                    let turned = &mut scratch.turned[..self.head_dim];
                    self.rotate(query, self.scale, position, turned);
                    for (place, &value) in scratch.queries[i..]
                        .iter_mut()
                        .step_by(QUERIES)
                        .zip(&*turned)
                    {
                        *place = value;
                    }
                }
                let largest = products::<S, QUERIES>(simd, &scratch.queries, keys, length, scores);
                let mut normalisers = [0f32; QUERIES];
                for ((normaliser, row), largest) in normalisers
                    .iter_mut()
                    .zip(scores.chunks_exact_mut(padded))
                    .zip(largest)
                {
                    *normaliser = softmax(simd, row, length, largest);
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
    fn weighted_values<S: Simd, const QUERIES: usize>(
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
        let normalisers = &normalisers[..n_queries];
        for register in (0..registers).step_by(2) {
            let start = register * S::F32_LANES;
            let components = start..self.head_dim.min(start + self.panel());
            // Two registers at a time while there are two: more sums would not fit.
            if registers - register >= 2 {
                self.weighted_part::<S, 2, QUERIES>(
                    simd,
                    weights,
                    values,
                    normalisers,
                    components,
                    rows,
                );
            } else {
                self.weighted_part::<S, 1, QUERIES>(
                    simd,
                    weights,
                    values,
                    normalisers,
                    components,
                    rows,
                );
            }
        }
    }

    /// As [`weighted_values`](Self::weighted_values), of these components, which fill `WIDTH` registers, for as many
    /// queries as there are normalisers.
    #[inline(always)]
    fn weighted_part<S: Simd, const WIDTH: usize, const QUERIES: usize>(
        &self,
        simd: S,
        weights: &[f32],
        values: &[S::f32s],
        normalisers: &[f32],
        components: Range<usize>,
        rows: &mut [f32],
    ) {
        let registers = self.value_width() / S::F32_LANES;
        let values = &values[components.start / S::F32_LANES..];
        let sums = weighted_sums::<S, WIDTH, QUERIES>(simd, weights, values, registers);
        let rows = rows.chunks_mut(self.hidden).zip(&sums);
        for ((row, sums), &normaliser) in rows.zip(normalisers) {
            put(simd, sums, normaliser, &mut row[components.clone()]);
        }
    }
}
