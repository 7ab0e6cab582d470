//! What attention computes for a few queries of one head at a time.
//!
//! The order of every sum is that of keys or components, so that bits depend on a sequence only.

use super::simd;
use pulp::Simd;

/// Partial sums of a row of scores. Each register of AVX-512 holds half of them.
pub(super) const PARTS: usize = 32;
/// Zero, one, two, ...
const NUMBERS: [f32; PARTS] = {
    let mut numbers = [0.0; PARTS];
    let mut i = 1;
    while i < PARTS {
        numbers[i] = numbers[i - 1] + 1.0;
        i += 1;
    }
    numbers
};

/// Writes `sums`, times `normaliser`, as far as there is room.
#[inline(always)]
pub(super) fn put<S: Simd, const WIDTH: usize>(
    simd: S,
    sums: &[S::f32s; WIDTH],
    normaliser: f32,
    row: &mut [f32],
) {
    let normaliser = simd.splat_f32s(normaliser);
    if row.len() == WIDTH * S::F32_LANES {
        let (row, _) = S::as_mut_simd_f32s(row);
        for (place, &sum) in row.iter_mut().zip(sums) {
            *place = simd.mul_f32s(sum, normaliser);
        }
    } else {
        let mut scaled = *sums;
        for sum in &mut scaled {
            *sum = simd.mul_f32s(*sum, normaliser);
        }
        let scaled: &[f32] = pulp::bytemuck::cast_slice(&scaled);
        for (place, &value) in row.iter_mut().zip(scaled) {
            *place = value;
        }
    }
}

/// The products of some queries, `[head_dim, QUERIES]`, and all keys, `[panels, head_dim, panel]`: `[QUERIES,
/// padded keys]`, minus infinity beyond the last key. Returns the largest of each query.
#[inline(always)]
pub(super) fn products<S: Simd, const QUERIES: usize>(
    simd: S,
    queries: &[f32],
    keys: &[f32],
    length: usize,
    products: &mut [f32],
) -> [f32; QUERIES] {
    let (queries, _) = queries.as_chunks::<QUERIES>();
    let (keys, _) = S::as_simd_f32s(keys);
    let (keys, _) = keys.as_chunks::<2>();
    let padded = products.len() / QUERIES;
    let panel = 2 * S::F32_LANES;
    let (numbers, _) = S::as_simd_f32s(&NUMBERS);
    let no_key = simd.splat_f32s(f32::NEG_INFINITY);
    let mut largest = [no_key; QUERIES];
    for (n, keys) in keys.chunks_exact(queries.len()).enumerate() {
        let mut sums = [[simd.splat_f32s(0.0); 2]; QUERIES];
        for (keys, queries) in keys.iter().zip(queries) {
            for (sums, &query) in sums.iter_mut().zip(queries) {
                let query = simd.splat_f32s(query);
                sums[0] = simd.mul_add_e_f32s(keys[0], query, sums[0]);
                sums[1] = simd.mul_add_e_f32s(keys[1], query, sums[1]);
            }
        }
        // A copy, so that the sums above stay in registers.
        let mut of_keys = sums;
        let n_left = length - n * panel;
        if n_left < panel {
            let n_left = simd.splat_f32s(n_left as f32);
            for sums in &mut of_keys {
                for (sum, &number) in sums.iter_mut().zip(numbers) {
                    *sum = simd.select_f32s(simd.less_than_f32s(number, n_left), *sum, no_key);
                }
            }
        }
        for ((i, sums), largest) in of_keys.iter().enumerate().zip(&mut largest) {
            let row = &mut products[i * padded + n * panel..][..panel];
            let (places, _) = S::as_mut_simd_f32s(row);
            for (place, &sum) in places.iter_mut().zip(sums) {
                *place = sum;
                *largest = simd.max_f32s(*largest, sum);
            }
        }
    }
    let mut of_queries = [0f32; QUERIES];
    for (of_query, largest) in of_queries.iter_mut().zip(largest) {
        *of_query = simd.reduce_max_f32s(largest);
    }
    of_queries
}

/// Turns the first `length` scores of a row, of [`PARTS`] or a multiple, into `exp(score - largest)`, and those behind
/// them into zero as far as they are of the same part; returns one over their sum, which is taken in an order that
/// the length alone decides.
#[inline(always)]
pub(super) fn softmax<S: Simd>(simd: S, row: &mut [f32], length: usize, largest: f32) -> f32 {
    match S::F32_LANES {
        16 => softmax_of::<S, { PARTS / 16 }>(simd, row, length, largest),
        8 => softmax_of::<S, { PARTS / 8 }>(simd, row, length, largest),
        4 => softmax_of::<S, { PARTS / 4 }>(simd, row, length, largest),
        _ => softmax_of::<S, PARTS>(simd, row, length, largest),
    }
}

/// [`softmax`], with `N` registers for the parts.
#[inline(always)]
fn softmax_of<S: Simd, const N: usize>(
    simd: S,
    row: &mut [f32],
    length: usize,
    largest: f32,
) -> f32 {
    let largest = simd.splat_f32s(largest);
    let mut sums = [simd.splat_f32s(0.0); N];
    let (registers, _) = S::as_mut_simd_f32s(row);
    let (chunks, _) = registers.as_chunks_mut::<N>();
    let (whole, rest) = chunks.split_at_mut(length / PARTS);
    for chunk in whole {
        *chunk = exps_of_differences(simd, chunk, largest);
        for (sum, &exp) in sums.iter_mut().zip(&*chunk) {
            *sum = simd.add_f32s(*sum, exp);
        }
    }
    let n_left = length % PARTS;
    if n_left > 0 {
        let chunk = &mut rest[0];
        *chunk = exps_of_differences(simd, chunk, largest);
        let n_left = simd.splat_f32s(n_left as f32);
        let (numbers, _) = S::as_simd_f32s(&NUMBERS);
        for ((sum, exp), &number) in sums.iter_mut().zip(chunk).zip(numbers) {
            let is_there = simd.less_than_f32s(number, n_left);
            *exp = simd.select_f32s(is_there, *exp, simd.splat_f32s(0.0));
            *sum = simd.add_f32s(*sum, *exp);
        }
    }
    let mut folded = [0f32; PARTS];
    folded.copy_from_slice(pulp::bytemuck::cast_slice(&sums));
    let mut half = PARTS / 2;
    while half > 0 {
        for i in 0..half {
            folded[i] += folded[i + half];
        }
        half /= 2;
    }
    1.0 / folded[0]
}

/// `exp(x - largest)`.
#[inline(always)]
fn exps_of_differences<S: Simd, const N: usize>(
    simd: S,
    x: &[S::f32s; N],
    largest: S::f32s,
) -> [S::f32s; N] {
    let mut differences = *x;
    for difference in &mut differences {
        *difference = simd.sub_f32s(*difference, largest);
    }
    simd::exps_of_negatives(simd, differences)
}

/// The sums of `WIDTH` registers of each row of `values`, whose rows are `registers` apart, weighted
/// by the rows of `weights`.
#[inline(always)]
pub(super) fn weighted_sums<S: Simd, const WIDTH: usize, const QUERIES: usize>(
    simd: S,
    weights: &[f32],
    values: &[S::f32s],
    registers: usize,
) -> [[S::f32s; WIDTH]; QUERIES] {
    /// Keys between two looks at the bounds of rows.
    const UNROLLED: usize = 8;
    let padded = weights.len() / QUERIES;
    let n_keys = values.len().div_ceil(registers);
    let mut rows: [&[f32]; QUERIES] = [&[]; QUERIES];
    for (i, row) in rows.iter_mut().enumerate() {
        *row = &weights[i * padded..][..n_keys];
    }
    let mut sums = [[simd.splat_f32s(0.0); WIDTH]; QUERIES];
    let n_blocks = n_keys / UNROLLED;
    let mut blocks: [&[[f32; UNROLLED]]; QUERIES] = [&[]; QUERIES];
    for (blocks, row) in blocks.iter_mut().zip(&rows) {
        *blocks = &row.as_chunks::<UNROLLED>().0[..n_blocks];
    }
    let mut of_keys = values.chunks(registers);
    for n in 0..n_blocks {
        let mut block: [&[f32; UNROLLED]; QUERIES] = [&[0.0; UNROLLED]; QUERIES];
        for (block, blocks) in block.iter_mut().zip(&blocks) {
            *block = &blocks[n];
        }
        for j in 0..UNROLLED {
            let Some(value) = of_keys.next() else { break };
            let value = &value[..WIDTH];
            for (sums, block) in sums.iter_mut().zip(&block) {
                let weight = simd.splat_f32s(block[j]);
                for (sum, &value) in sums.iter_mut().zip(value) {
                    *sum = simd.mul_add_e_f32s(value, weight, *sum);
                }
            }
        }
    }
    for (j, value) in (n_blocks * UNROLLED..n_keys).zip(of_keys) {
        let value = &value[..WIDTH];
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let weight = simd.splat_f32s(row[j]);
            for (sum, &value) in sums.iter_mut().zip(value) {
                *sum = simd.mul_add_e_f32s(value, weight, *sum);
            }
        }
    }
    sums
}
