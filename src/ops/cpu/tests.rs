//! The same bits, whatever a row or a sequence is computed with.

use super::{
    super::{
        Epilogue, LayerNorm, Linear, RotaryTable, feed_forward, linear_plain,
        tests::{Numbers, assert_close, tokens},
    },
    *,
};
use crate::{
    device::{amx, usual_threads},
    job::Pooling,
};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

fn bits<const D: usize>(tensor: &Tensor<D>) -> Vec<u32> {
    let values: Vec<f32> = tensor.to_data().try_into_vec().expect("f32");
    values.into_iter().map(f32::to_bits).collect()
}

fn pool_of(n_threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(n_threads).build();
    pool.expect("a pool of threads")
}

/// What `compute` makes of rows of `x`: it must be the rows of what it makes of all of `x`, whatever rows
/// they are and how many threads compute.
fn check_rows(x: &Tensor<2>, what: &str, compute: impl Fn(Tensor<2>, usize) -> Tensor<2> + Sync) {
    let [n_rows, n_columns] = x.dims();
    let all = bits(&compute(x.clone(), 0));
    let width = all.len() / n_rows;
    let counts = (1..=70).chain([96, 127, 200, 481, n_rows]);
    for n_threads in [1, 3] {
        pool_of(n_threads).install(|| {
            for count in counts.clone() {
                for first in [0, 7, n_rows - count] {
                    let first = first.min(n_rows - count);
                    let rows = x.clone().slice([first..first + count, 0..n_columns]);
                    assert_eq!(
                        bits(&compute(rows, first)),
                        all[first * width..(first + count) * width],
                        "{what}, {count} rows from {first}, {n_threads} threads"
                    );
                }
            }
        });
    }
}

#[test]
fn a_row_of_a_linear_layer_has_the_same_bits_among_any_rows() {
    const N_ROWS: usize = 503;
    let mut numbers = Numbers(11);
    // Outputs that fill panels, or do not; inputs of one block, of several, and of odd sizes.
    let sizes = [(24, 64), (320, 40), (257, 33), (600, 97), (3, 1)];
    let all = formats().into_iter();
    for (format, (n_in, n_out)) in all.flat_map(|format| sizes.map(|sizes| (format, sizes))) {
        let linear = Linear::new(
            numbers.tensor([n_out, n_in], 0.2).cast(format),
            numbers.tensor([n_out], 1.0),
        );
        let x = numbers.tensor([N_ROWS, n_in], 2.0);
        let residual = numbers.tensor([N_ROWS, n_out], 1.0);
        let what = |epilogue| format!("{n_in} to {n_out}, {epilogue}, {format:?}");
        check_rows(&x, &what("gelu"), |x, _| linear.forward(x, Epilogue::Gelu));
        if n_in < 300 {
            check_rows(&x, &what("residual"), |x, first| {
                let [n, _] = x.dims();
                let residual = residual.clone().slice([first..first + n, 0..n_out]);
                linear.forward(x, Epilogue::Residual(&residual))
            });
        }
    }
}

/// So it has the same bits on every kind of CPU that has vectors.
#[test]
fn a_linear_layer_is_sums_in_one_order() {
    const N_ROWS: usize = 21;
    let mut numbers = Numbers(15);
    // With how many inputs are summed up before the sums are.
    for (n_in, n_out, block) in [(24, 64, 24), (320, 40, 160), (257, 33, 136), (3, 1, 8)] {
        let weight = numbers.tensor([n_out, n_in], 0.2);
        let bias = numbers.tensor([n_out], 1.0);
        let x = numbers.tensor([N_ROWS, n_in], 2.0);
        let y = Linear::new(weight.clone(), bias.clone()).forward(x.clone(), Epilogue::None);
        let values = |bits: Vec<u32>| bits.into_iter().map(f32::from_bits).collect::<Vec<_>>();
        let (weight, bias) = (values(bits(&weight)), values(bits(&bias)));
        let (x, y) = (values(bits(&x)), values(bits(&y)));
        for (row, y) in x.chunks(n_in).zip(y.chunks(n_out)) {
            for ((weights, &bias), &y) in weight.chunks(n_in).zip(&bias).zip(y) {
                let blocks = row.chunks(block).zip(weights.chunks(block));
                let sums = blocks.map(|(row, weights)| {
                    let pairs = row.iter().zip(weights);
                    pairs.fold(0.0f32, |sum, (&x, &weight)| x.mul_add(weight, sum))
                });
                let expect = sums.fold(0.0, |total, sum| total + sum) + bias;
                if !matches!(Arch::new(), Arch::Scalar) {
                    assert_eq!(y.to_bits(), expect.to_bits(), "{n_in} to {n_out}");
                }
            }
        }
    }
}

/// The formats in which this CPU multiplies weights. Where it lacks one, it says so.
fn formats() -> Vec<DType> {
    let mut formats = vec![DType::F32];
    match amx::lacking() {
        None => formats.push(DType::BF16),
        Some(reason) => {
            // Past the harness, which keeps what tests print to itself.
            let said = writeln!(io::stderr(), "SKIPPED: bf16: {reason}");
            said.expect("standard error is open");
        }
    }
    formats
}

#[test]
fn a_row_of_a_feed_forward_layer_has_the_same_bits_among_any_rows() {
    let mut numbers = Numbers(15);
    for format in formats() {
        let mut linear = |n_in, n_out| {
            let weight = numbers.tensor([n_out, n_in], 0.2).cast(format);
            Linear::new(weight, numbers.tensor([n_out], 1.0))
        };
        let (expand, contract) = (linear(40, 200), linear(200, 40));
        let norm = LayerNorm::new(numbers.tensor([40], 1.0), numbers.tensor([40], 1.0), 1e-5);
        let x = numbers.tensor([503, 40], 2.0);
        check_rows(&x, &format!("{format:?}"), |x, _| {
            feed_forward(&x, &norm, &expand, &contract, Epilogue::Gelu)
        });
    }
}

#[test]
fn products_in_bf16_are_those_of_rounded_numbers() {
    if !formats().contains(&DType::BF16) {
        return;
    }
    let mut numbers = Numbers(16);
    // Rows, inputs and outputs that fill tiles, or do not.
    for (n_rows, n_in, n_out) in [
        (1, 8, 8),
        (5, 64, 100),
        (32, 32, 32),
        (9, 3, 1),
        (130, 96, 24),
        (7, 517, 33),
        (1000, 300, 165),
    ] {
        let weight = numbers.tensor([n_out, n_in], 0.2).cast(DType::BF16);
        let bias = numbers.tensor([n_out], 1.0);
        let linear = Linear::new(weight.clone(), bias.clone());
        let x = numbers.tensor([n_rows, n_in], 2.0);
        let residual = numbers.tensor([n_rows, n_out], 1.0);
        let rounded = x.clone().cast(DType::BF16).cast(DType::F32);
        let weight = weight.cast(DType::F32);
        for epilogue in [
            Epilogue::None,
            Epilogue::Gelu,
            Epilogue::Residual(&residual),
        ] {
            // Products of bf16 are exact in f32: all that differs is the order of sums below 10, and below 100
            // with many inputs.
            assert_close(
                linear.forward(x.clone(), epilogue),
                linear_plain(rounded.clone(), &weight, &bias, epilogue),
                if n_in > 100 { 5e-5 } else { 5e-6 },
                &format!("{n_rows} x {n_in} x {n_out}, {epilogue:?}"),
            );
        }
    }
}

#[test]
fn a_row_of_a_layer_norm_has_the_same_bits_among_any_rows() {
    let mut numbers = Numbers(12);
    for width in [16, 37, 320] {
        let weight = numbers.tensor([width], 1.0);
        let norm = LayerNorm::new(weight, numbers.tensor([width], 1.0), 1e-5);
        let x = numbers.tensor([503, width], 5.0);
        check_rows(&x, &format!("{width} columns"), |x, _| norm.forward(&x));
    }
}

#[test]
fn a_sequence_has_the_same_bits_among_any_sequences() {
    let mut numbers = Numbers(13);
    let lengths = [3, 300, 4, 5, 63, 64, 65, 3, 129, 17, 700, 31, 32, 33, 130];
    for (head_dim, n_heads) in [(16, 4), (10, 2), (64, 2)] {
        let hidden = head_dim * n_heads;
        let n_tokens: usize = lengths.iter().sum();
        let frequencies = RotaryTable::frequencies(head_dim, 1e4);
        let rotary = RotaryTable::new(frequencies.clone(), 700);
        let qkv = numbers.tensor([n_tokens, 3 * hidden], 3.0);
        let compute = |qkv: &Tensor<2>, lengths: &[usize], rotary: &RotaryTable| {
            let tokens = tokens(lengths);
            let context = attention(qkv, tokens.segments(), rotary);
            let pooled =
                Pooling::ALL.map(|pooling| bits(&pool(&context, tokens.segments(), pooling)));
            (bits(&context), pooled)
        };
        let (together, pooled) = compute(&qkv, &lengths, &rotary);
        for n_threads in [1, 3] {
            pool_of(n_threads).install(|| {
                let mut start = 0;
                for (n, &length) in lengths.iter().enumerate() {
                    let rows = qkv.clone().slice([start..start + length, 0..3 * hidden]);
                    // A table that ends with the sequence, too.
                    let short = RotaryTable::new(frequencies.clone(), length);
                    let (alone, pooled_alone) = compute(&rows, &[length], &short);
                    let at = start * hidden..(start + length) * hidden;
                    assert_eq!(
                        alone, together[at],
                        "sequence {n}, head dimension {head_dim}"
                    );
                    for (pooled, alone) in pooled.iter().zip(&pooled_alone) {
                        assert_eq!(
                            &pooled[n * hidden..][..hidden],
                            alone,
                            "sequence {n}, pooled"
                        );
                    }
                    start += length;
                }
            });
        }
    }
}

/// Every kind of vectors that this CPU has.
#[cfg(target_arch = "x86_64")]
fn kinds_of_vectors() -> Vec<(Arch, usize)> {
    let v3 = pulp::x86::V3::try_new().map(|simd| (Arch::V3(simd), 8));
    let v4 = pulp::x86::V4::try_new().map(|simd| (Arch::V4(simd), 16));
    v3.into_iter().chain(v4).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_length_of_vectors_does_not_change_bits() {
    let mut numbers = Numbers(14);
    let kinds = kinds_of_vectors();
    let weight = numbers.tensor([75, 520], 0.2);
    let bias = numbers.tensor([75], 1.0);
    let x = numbers.tensor([61, 520], 2.0);
    let lengths = [3, 40, 129, 16, 8];
    let tokens = tokens(&lengths);
    let rotary = RotaryTable::new(RotaryTable::frequencies(20, 1e4), 129);
    let qkv = numbers.tensor([lengths.iter().sum(), 3 * 60], 3.0);
    let results: Vec<_> = kinds
        .iter()
        .map(|&(arch, lanes)| {
            let panels = Packed::Panels(panels::Panels::for_lanes(weight.clone(), lanes));
            let y = linear::linear_on(arch, x.clone(), &panels, &bias, Epilogue::Gelu);
            let context = attention::attention_on(arch, &qkv, tokens.segments(), &rotary);
            (bits(&y), bits(&context))
        })
        .collect();
    for result in &results {
        assert!(*result == results[0]);
    }
}

/// Products and sums that depend on nothing but the ones before in the same register.
struct MultiplyAdds {
    /// Products and sums, which count as two.
    n_flops: usize,
}

impl WithSimd for MultiplyAdds {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // AVX2 has sixteen registers, of which two hold factors.
        if S::F32_LANES == 8 {
            self.compute::<S, 12>(simd);
        } else {
            self.compute::<S, 24>(simd);
        }
    }
}

impl MultiplyAdds {
    #[inline(always)]
    fn compute<S: Simd, const REGISTERS: usize>(self, simd: S) {
        let factor = simd.splat_f32s(black_box(0.5));
        let term = simd.splat_f32s(black_box(1.0));
        let mut sums = [factor; REGISTERS];
        for sum in &mut sums {
            // Nobody knows that they are the same.
            *sum = simd.splat_f32s(black_box(0.0));
        }
        for _ in 0..self.n_flops / (2 * REGISTERS * S::F32_LANES) {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        // Each has come to the same number.
        for sum in sums {
            assert!((simd.reduce_sum_f32s(sum) / S::F32_LANES as f32 - 2.0).abs() < 1e-3);
        }
    }
}

/// What products could be computed at, at best: `scripts/bench/cpu.sh` compares with it.
#[test]
#[ignore = "a measurement"]
fn speed_of_multiply_adds() {
    const FLOPS_OF_A_THREAD: usize = 20_000_000_000;
    let arch = Arch::new();
    let n_threads = usual_threads().unwrap();
    let pool = pool_of(n_threads);
    let seconds = (0..5).map(|_| {
        let start = Instant::now();
        pool.broadcast(|_| {
            arch.dispatch(MultiplyAdds {
                n_flops: FLOPS_OF_A_THREAD,
            });
        });
        start.elapsed().as_secs_f64()
    });
    let least = seconds.fold(f64::INFINITY, f64::min);
    let rate = (n_threads * FLOPS_OF_A_THREAD) as f64 / least;
    writeln!(
        io::stdout(),
        "multiply-adds on {n_threads} threads: {:.1} GFLOP/s",
        rate / 1e9
    )
    .unwrap();
}
