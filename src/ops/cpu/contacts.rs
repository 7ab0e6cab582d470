//! Contacts: rows of a sequence's attention maps over threads, keys over vectors.
//!
//! A head's map is the same as in attention. Making it symmetric and correcting it needs its sums over rows and
//! columns only, and both are linear. So the maps of all heads are added up as they are, weighted, and what is
//! missing is done once at the end: the transpose is added, and the products of the sums are taken off.

use super::{
    super::{RotaryTable, Segments, segments::n_residues},
    contiguous, simd, tensor,
};
use burn::tensor::Tensor;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Keys in a panel: sums of some queries with them stay in registers.
const PANEL: usize = 16;
/// Queries that go through a head together.
const QUERIES: usize = 4;
/// Rows of a map that are one task.
const ROWS: usize = 32;

/// See [`ContactMaps`](super::super::ContactMaps).
pub(in super::super) struct ContactMaps {
    maps: Vec<Map>,
    /// The weights of all heads so far.
    weights: Vec<f32>,
}

/// The map of a sequence of n residues.
struct Map {
    tokens: Range<usize>,
    /// `[n, n]`: the weighted sum of what residues attend to residues with.
    weighted: Vec<f32>,
    /// `[heads so far, n]`: what each residue attends to all with, and all to it.
    sums: Vec<f32>,
}

impl ContactMaps {
    pub(in super::super) fn new(segments: &Segments) -> Self {
        let maps = segments.ranges().map(|tokens| {
            let n = n_residues(tokens.len());
            Map {
                tokens,
                weighted: vec![0.0; n * n],
                sums: Vec::new(),
            }
        });
        Self {
            maps: maps.collect(),
            weights: Vec::new(),
        }
    }

    pub(in super::super) fn add(&mut self, qkv: &Tensor<2>, rotary: &RotaryTable, weights: &[f32]) {
        let [_, width] = qkv.dims();
        let qkv = contiguous(qkv.clone());
        let layer = Layer {
            qkv: qkv.storage(),
            width,
            rotary,
            scale: 1.0 / (rotary.head_dim() as f32).sqrt(),
            weights,
        };
        for map in &mut self.maps {
            layer.add_to(map);
        }
        self.weights.extend_from_slice(weights);
    }

    pub(in super::super) fn finish(self, bias: f32) -> Tensor<2> {
        let mut values = Vec::with_capacity(self.maps.iter().map(|map| map.weighted.len()).sum());
        for map in &self.maps {
            values.extend(map.probabilities(&self.weights, bias));
        }
        let n = values.len();
        tensor(values, [n, 1])
    }
}

/// What each token of a sequence of T tokens attends to each with, in each head: `[heads, T, T]`. `qkv` is that of the
/// sequence alone.
pub(in super::super) fn attention_maps(qkv: &Tensor<2>, rotary: &RotaryTable) -> Vec<f32> {
    let [length, width] = qkv.dims();
    let qkv = contiguous(qkv.clone());
    let weights = vec![1.0; width / 3 / rotary.head_dim()];
    let layer = Layer {
        qkv: qkv.storage(),
        width,
        rotary,
        scale: 1.0 / (rotary.head_dim() as f32).sqrt(),
        weights: &weights,
    };
    let panels = layer.panels(&(0..length));
    let of_head = panels.len() / weights.len();
    let arch = Arch::new();
    let mut maps = vec![0.0; weights.len() * length * length];
    let rows = maps.par_chunks_exact_mut(length).enumerate();
    rows.for_each(|(n, row)| {
        let head = n / length;
        arch.dispatch(FillRow {
            layer: &layer,
            head,
            position: n % length,
            panels: &panels[head * of_head..][..of_head],
            row,
        });
    });
    maps
}

/// Writes what a token attends to each with, in one head.
struct FillRow<'a> {
    layer: &'a Layer<'a>,
    head: usize,
    position: usize,
    panels: &'a [f32],
    row: &'a mut [f32],
}

impl WithSimd for FillRow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let head_dim = self.layer.rotary.head_dim();
        let length = self.row.len();
        let mut queries = vec![0f32; QUERIES * head_dim];
        let mut scores = vec![0f32; QUERIES * length.next_multiple_of(PANEL)];
        let query = self.layer.part(self.position, 0, self.head);
        let scale = self.layer.scale;
        (self.layer).rotate(query, scale, self.position, &mut queries, QUERIES);
        products(&queries, self.panels, head_dim, &mut scores);
        let normaliser = softmax(&mut scores[..length]);
        for (share, score) in self.row.iter_mut().zip(&scores) {
            *share = score * normaliser;
        }
    }
}

impl Map {
    /// `[n, n]`.
    fn probabilities(&self, weights: &[f32], bias: f32) -> Vec<f32> {
        let n = n_residues(self.tokens.len());
        let arch = Arch::new();
        // What the products of each head's sums are multiplied with.
        let factors: Vec<f32> = weights
            .iter()
            .zip(self.sums.chunks_exact(n))
            .map(|(weight, sums)| weight / sums.iter().sum::<f32>().max(f32::MIN_POSITIVE))
            .collect();
        let mut rows = vec![0.0; n * n];
        rows.par_chunks_exact_mut(n)
            .enumerate()
            .for_each(|(i, row)| {
                for (factor, sums) in factors.iter().zip(self.sums.chunks_exact(n)) {
                    arch.dispatch(AddProducts {
                        factor: *factor,
                        sum: sums[i],
                        sums,
                        row,
                    });
                }
                for (j, value) in row.iter_mut().enumerate() {
                    let symmetric = self.weighted[i * n + j] + self.weighted[j * n + i];
                    *value = 1.0 / (1.0 + (*value - symmetric - bias).exp());
                }
            });
        rows
    }
}

/// Adds the products of a residue's sum and those of all to `row`. They are the same the other way round.
struct AddProducts<'a> {
    factor: f32,
    sum: f32,
    sums: &'a [f32],
    row: &'a mut [f32],
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, other) in self.row.iter_mut().zip(self.sums) {
            *value = (self.sum * other).mul_add(self.factor, *value);
        }
    }
}

/// The queries and keys of a layer.
struct Layer<'a> {
    /// `[T, width]`.
    qkv: &'a [f32],
    width: usize,
    rotary: &'a RotaryTable,
    /// Of the scores; it is applied to the queries before they are rotated.
    scale: f32,
    weights: &'a [f32],
}

impl Layer<'_> {
    fn add_to(&self, map: &mut Map) {
        let (n, n_heads) = (n_residues(map.tokens.len()), self.weights.len());
        let panels = self.panels(&map.tokens);
        let arch = Arch::new();
        // A task's sums of columns are added up in the order of the rows, whichever task is the first to end.
        let parts: Vec<(Vec<f32>, Vec<f32>)> = map
            .weighted
            .par_chunks_mut(ROWS * n)
            .enumerate()
            .map(|(task, rows)| {
                let mut of_rows = vec![0.0; n_heads * (rows.len() / n)];
                let mut of_columns = vec![0.0; n_heads * n];
                arch.dispatch(AddRows {
                    layer: self,
                    tokens: map.tokens.clone(),
                    first: task * ROWS,
                    panels: &panels,
                    rows,
                    of_rows: &mut of_rows,
                    of_columns: &mut of_columns,
                });
                (of_rows, of_columns)
            })
            .collect();
        for head in 0..n_heads {
            let start = map.sums.len();
            for (of_rows, _) in &parts {
                let n_rows = of_rows.len() / n_heads;
                map.sums.extend(&of_rows[head * n_rows..][..n_rows]);
            }
            for (_, of_columns) in &parts {
                let sums = map.sums[start..].iter_mut();
                for (sum, column) in sums.zip(&of_columns[head * n..][..n]) {
                    *sum += column;
                }
            }
        }
    }

    /// The keys of all heads, rotated: `[heads, panels, head_dim, PANEL]`, zero where the last panel has no key.
    fn panels(&self, tokens: &Range<usize>) -> Vec<f32> {
        let head_dim = self.rotary.head_dim();
        let of_head = tokens.len().next_multiple_of(PANEL) * head_dim;
        let mut panels = vec![0.0; self.weights.len() * of_head];
        let heads = panels.par_chunks_exact_mut(of_head).enumerate();
        heads.for_each(|(head, panels)| {
            for position in 0..tokens.len() {
                let start = position / PANEL * PANEL * head_dim + position % PANEL;
                let key = self.part(tokens.start + position, 1, head);
                self.rotate(key, 1.0, position, &mut panels[start..], PANEL);
            }
        });
        panels
    }

    /// The query (0) or key (1) of one head of one token, `[head_dim]`.
    #[inline(always)]
    fn part(&self, token: usize, part: usize, head: usize) -> &[f32] {
        let head_dim = self.rotary.head_dim();
        let start = token * self.width + part * (self.width / 3) + head * head_dim;
        &self.qkv[start..][..head_dim]
    }

    /// Writes `x * scale`, rotated by `position`, with its components `stride` apart.
    #[inline(always)]
    fn rotate(&self, x: &[f32], scale: f32, position: usize, output: &mut [f32], stride: usize) {
        let (cos, sin) = (self.rotary.cos(position), self.rotary.sin(position));
        let (low, high) = x.split_at(x.len() / 2);
        for i in 0..low.len() {
            let (a, b) = (low[i] * scale, high[i] * scale);
            output[i * stride] = a * cos[i] - b * sin[i];
            output[(i + low.len()) * stride] = b * cos[i] + a * sin[i];
        }
    }
}

/// Adds what some residues of a sequence attend to others with, through all heads of a layer.
struct AddRows<'a> {
    layer: &'a Layer<'a>,
    tokens: Range<usize>,
    /// The first of the residues.
    first: usize,
    panels: &'a [f32],
    /// Of the map, `[residues, n]`.
    rows: &'a mut [f32],
    /// Gets the sums, `[heads, residues]`.
    of_rows: &'a mut [f32],
    /// Gets the sums, `[heads, n]`.
    of_columns: &'a mut [f32],
}

impl WithSimd for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { layer, tokens, .. } = self;
        let (length, head_dim) = (tokens.len(), layer.rotary.head_dim());
        let (n, padded) = (n_residues(length), length.next_multiple_of(PANEL));
        let n_rows = self.rows.len() / n;
        let mut queries = vec![0f32; QUERIES * head_dim];
        let mut scores = vec![0f32; QUERIES * padded];
        let heads = self.panels.chunks_exact(padded * head_dim);
        for (head, (panels, &weight)) in heads.zip(layer.weights).enumerate() {
            let of_columns = &mut self.of_columns[head * n..][..n];
            for block in (0..n_rows).step_by(QUERIES) {
                let n_queries = QUERIES.min(n_rows - block);
                // Queries beyond the last one keep old values; nothing is made of their scores.
                for i in 0..n_queries {
                    // BOS comes before the first residue.
                    let position = self.first + block + i + 1;
                    let query = layer.part(tokens.start + position, 0, head);
                    layer.rotate(query, layer.scale, position, &mut queries[i..], QUERIES);
                }
                products(&queries, panels, head_dim, &mut scores);
                for i in 0..n_queries {
                    let scores = &mut scores[i * padded..][..length];
                    let normaliser = softmax(scores);
                    let residues = &scores[1..=n];
                    let row = &mut self.rows[(block + i) * n..][..n];
                    self.of_rows[head * n_rows + block + i] = sum(residues) * normaliser;
                    for ((share, value), column) in residues.iter().zip(row).zip(&mut *of_columns) {
                        let share = share * normaliser;
                        *value = share.mul_add(weight, *value);
                        *column += share;
                    }
                }
            }
        }
    }
}

/// The scores of all keys with each query: `[QUERIES, keys padded to panels]`.
#[inline(always)]
fn products(queries: &[f32], panels: &[f32], head_dim: usize, scores: &mut [f32]) {
    let padded = scores.len() / QUERIES;
    for (start, panel) in (0..padded)
        .step_by(PANEL)
        .zip(panels.chunks_exact(PANEL * head_dim))
    {
        let mut sums = [[0f32; PANEL]; QUERIES];
        let components = panel.as_chunks::<PANEL>().0.iter();
        for (keys, queries) in components.zip(queries.as_chunks::<QUERIES>().0) {
            for (sums, query) in sums.iter_mut().zip(queries) {
                for (sum, key) in sums.iter_mut().zip(keys) {
                    *sum = key.mul_add(*query, *sum);
                }
            }
        }
        for (sums, row) in sums.iter().zip(scores.chunks_exact_mut(padded)) {
            row[start..][..PANEL].copy_from_slice(sums);
        }
    }
}

/// Makes scores `exp(score - largest)`, and returns what makes their sum 1.
#[inline(always)]
fn softmax(scores: &mut [f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; PANEL];
    for part in scores.chunks(PANEL) {
        for (largest, score) in largest.iter_mut().zip(part) {
            // Not `max`, which would hide NaN.
            *largest = if *largest >= *score { *largest } else { *score };
        }
    }
    let mut of_all = f32::NEG_INFINITY;
    for largest in largest {
        of_all = if of_all >= largest { of_all } else { largest };
    }
    for score in &mut *scores {
        *score = simd::exp_of_negative(*score - of_all);
    }
    1.0 / sum(scores)
}

/// The sum of numbers, which depends on them and their order alone.
#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut sums = [0f32; PANEL];
    for part in values.chunks(PANEL) {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += value;
        }
    }
    sums.iter().sum()
}
