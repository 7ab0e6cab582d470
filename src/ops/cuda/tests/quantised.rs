//! Kernels that write bytes, and layers of bytes, against f64 and the plain version. They need a Hopper GPU.

use super::*;
use burn::tensor::{DType, Device, TensorData};
use std::ops::Range;

fn on_cpu<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

/// Rows of numbers in bf16, of which some are special: the last one is nothing, and the one before it has halves of
/// steps.
fn rows(numbers: &mut Numbers, n_rows: usize, width: usize) -> Vec<f32> {
    let mut x = numbers.vector(n_rows * width, 3.0, Dtype::Bf16);
    let (ordinary, special) = x.split_at_mut((n_rows - 2) * width);
    // Rows of very different sizes.
    for (n, row) in ordinary.chunks_mut(width).enumerate() {
        row.iter_mut()
            .for_each(|x| *x *= f32::powi(2.0, n as i32 - 10));
    }
    for (n, x) in special[..width].iter_mut().enumerate() {
        *x = (n % 255) as f32 / 2.0 - 63.5;
    }
    special[0] = 127.0;
    special[width..].fill(0.0);
    x
}

/// What GELU makes of numbers up to about `greatest`, in bf16.
fn gelus(numbers: &mut Numbers, n: usize, greatest: f32) -> Vec<f32> {
    let x = on_cpu(&numbers.vector(n, greatest, Dtype::Bf16), [1, n]);
    let gelus = values(x.clone() * 0.5 * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0));
    let gelus = gelus.expect("GELU").to_f32();
    gelus.iter().map(|&x| round(x, Dtype::Bf16)).collect()
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn rows_become_the_bytes_of_the_plain_version() {
    let mut numbers = Numbers(41);
    for width in [8, 64, 160, 320, 480, 640, 1280, 2560, 5120] {
        const ROWS: usize = 37;
        let signed = rows(&mut numbers, ROWS, width);
        let mut behind_gelu = gelus(&mut numbers, ROWS * width, 6.0);
        // Blocks that saturate, that are nothing, and that have nothing above zero.
        behind_gelu[0] = 100.0;
        behind_gelu[width..2 * width].fill(0.0);
        behind_gelu[2 * width..3 * width].fill(-0.125);
        for (code, x) in [(Code::Signed, signed), (Code::Gelu, behind_gelu)] {
            let there = on_gpu(&x, [ROWS, width], Dtype::Bf16);
            let got = quantise(&there, code).read();
            let want = quantise(&on_cpu(&x, [ROWS, width]), code).read();
            assert_eq!(got, want, "{code:?}, {width}");
            for row in [0, 1, 2, ROWS - 2, ROWS - 1] {
                let alone = &x[row * width..][..width];
                let alone = quantise(&on_gpu(alone, [1, width], Dtype::Bf16), code).read();
                let n_scales = alone.1.len();
                assert_eq!(alone.0, got.0[row * width..][..width], "{code:?}, {width}");
                assert_eq!(alone.1, got.1[row * n_scales..][..n_scales]);
            }
        }
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn layer_norm_in_bytes_agrees_with_f64() {
    let mut numbers = Numbers(42);
    for width in [64, 160, 320, 480, 640, 1280, 2560, 5120] {
        const ROWS: usize = 37;
        let x = rows(&mut numbers, ROWS, width);
        let weight = numbers.vector(width, 1.0, Dtype::F32);
        let bias = numbers.vector(width, 1.0, Dtype::F32);
        let norm = LayerNorm::new(
            on_gpu(&weight, [width], Dtype::F32),
            on_gpu(&bias, [width], Dtype::F32),
            1e-5,
        );
        let x_there = on_gpu(&x, [ROWS, width], Dtype::Bf16);
        let (bytes, scales) = norm.forward_quantised(&x_there).read();
        for (n, row) in x.chunks(width).enumerate() {
            let count = width as f64;
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
            let variance = squares.sum::<f64>() / count;
            let columns = row.iter().zip(&weight).zip(&bias);
            let normal = columns.map(|((&x, &w), &b)| {
                (f64::from(x) - mean) / (variance + 1e-5).sqrt() * f64::from(w) + f64::from(b)
            });
            let normal: Vec<f64> = normal.collect();
            let greatest = normal
                .iter()
                .fold(0f64, |greatest, x| greatest.max(x.abs()));
            let scale = f64::from(scales[n]);
            let error = (scale / (greatest / 127.0) - 1.0).abs();
            assert!(error < 1e-6, "{width}, row {n}: the scale is {error:e} off");
            for (want, &byte) in normal.iter().zip(&bytes[n * width..]) {
                let steps = (want / scale - f64::from(byte)).abs();
                // Another one only where f32 cannot tell which is nearer.
                assert!(steps <= 0.5005, "{width}, row {n}: {steps} steps off");
            }
            let alone = on_gpu(row, [1, width], Dtype::Bf16);
            let (alone, alone_scale) = norm.forward_quantised(&alone).read();
            assert_eq!(alone, bytes[n * width..][..width], "{width}, row {n} alone");
            assert_eq!(alone_scale[0].to_bits(), scales[n].to_bits());
        }
    }
}

/// A row that is not finite has a scale that is not, and no other row has.
#[test]
#[ignore = "needs a Hopper GPU"]
fn what_is_not_finite_is_not_lost() {
    const ROWS: usize = 7;
    for width in [320, 1280] {
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = Numbers(43).vector(ROWS * width, 1.0, Dtype::Bf16);
            x[3 * width + width / 3] = odd;
            let there = on_gpu(&x, [ROWS, width], Dtype::Bf16);
            let ones = on_gpu(&vec![1.0; width], [width], Dtype::F32);
            let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
            for (what, rows) in [
                ("signed", quantise(&there, Code::Signed)),
                ("normal", norm.forward_quantised(&there)),
            ] {
                let (_, scales) = rows.read();
                for (row, scale) in scales.iter().enumerate() {
                    assert_eq!(
                        scale.is_finite(),
                        row != 3,
                        "{what}, {width}, {odd}, row {row}"
                    );
                }
            }
            // Minus infinity is nothing that GELU makes.
            if odd != f32::NEG_INFINITY {
                let (_, scales) = quantise(&there, Code::Gelu).read();
                let lost = scales.iter().filter(|scale| scale.is_nan());
                assert_eq!(lost.count(), 1, "one block of one row");
            }
        }
    }
}

/// A row that overflows in a layer norm is not a number behind the layer, though it was one in front of it.
#[test]
#[ignore = "needs a Hopper GPU"]
fn what_overflows_is_not_lost_in_a_layer() {
    if !multiplies_bytes() {
        return;
    }
    const ROWS: usize = 256;
    const HIDDEN: usize = 1280;
    let mut numbers = Numbers(49);
    let mut linear = |shape @ [n_out, n_in]: [usize; 2], code| {
        let weights = numbers.vector(n_out * n_in, 0.05, Dtype::F32);
        let weights = QuantisedWeights::new(&weights, shape, vec![0.0; n_out], code);
        Linear::quantised(weights, &gpu().device)
    };
    let expand = linear([4 * HIDDEN, HIDDEN], Code::Signed);
    let contract = linear([HIDDEN, 4 * HIDDEN], Code::Gelu);
    let ones = on_gpu(&vec![1.0; HIDDEN], [HIDDEN], Dtype::F32);
    let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
    let mut x = numbers.vector(ROWS * HIDDEN, 1.0, Dtype::Bf16);
    for (n, x) in x[3 * HIDDEN..4 * HIDDEN].iter_mut().enumerate() {
        *x = if n % 2 == 0 { 1e30 } else { -1e30 };
    }
    let x = on_gpu(&x, [ROWS, HIDDEN], Dtype::Bf16);
    let y = feed_forward(&x, &norm, &expand, &contract, Epilogue::Gelu);
    let y = values(y).expect("a layer").to_f32();
    for (row, y) in y.chunks(HIDDEN).enumerate() {
        assert_eq!(y.iter().all(|y| y.is_finite()), row != 3, "row {row}");
    }
}

/// Rows of products, alone and among others, on the GPU.
#[test]
#[ignore = "needs a Hopper GPU"]
fn a_row_of_bytes_has_the_same_bits_in_any_batch() {
    if !multiplies_bytes() {
        return;
    }
    const HIDDEN: usize = 1280;
    let mut numbers = Numbers(46);
    let mut linear = |shape @ [n_out, n_in]: [usize; 2], code| {
        let scale = 2.0 / (n_in as f32).sqrt();
        let weights = numbers.vector(n_out * n_in, scale, Dtype::F32);
        let bias = numbers.vector(n_out, 0.5, Dtype::F32);
        let weights = QuantisedWeights::new(&weights, shape, bias, code);
        Linear::quantised(weights, &gpu().device)
    };
    let qkv = linear([3 * HIDDEN, HIDDEN], Code::Signed);
    let output = linear([HIDDEN, HIDDEN], Code::Signed);
    let expand = linear([4 * HIDDEN, HIDDEN], Code::Signed);
    let contract = linear([HIDDEN, 4 * HIDDEN], Code::Gelu);
    let ones = on_gpu(&vec![1.0; HIDDEN], [HIDDEN], Dtype::F32);
    let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
    const ROWS: usize = 4096;
    let x = Numbers(47).vector(ROWS * HIDDEN, 2.0, Dtype::Bf16);
    let forward = |rows: Range<usize>| -> Vec<u32> {
        let n_rows = rows.len();
        let x = &x[rows.start * HIDDEN..rows.end * HIDDEN];
        let x = on_gpu(x, [n_rows, HIDDEN], Dtype::Bf16);
        let qkv = qkv.forward_normal(&norm, &x, Epilogue::None);
        let part = qkv.slice([0..n_rows, 0..HIDDEN]);
        let attended = output.forward(part, Epilogue::Residual(&x));
        let y = feed_forward(&attended, &norm, &expand, &contract, Epilogue::Gelu);
        let y = values(y).expect("a layer").to_f32();
        y.into_iter().map(f32::to_bits).collect()
    };
    let all = forward(0..ROWS);
    for rows in [0..256, 256..512, 1024..1792, 3840..4096, 128..384, 77..333] {
        let among = &all[rows.start * HIDDEN..rows.end * HIDDEN];
        assert!(forward(rows.clone()) == among, "{rows:?}");
    }
}

/// A feed-forward layer with each choice of products, against the one in main memory.
#[test]
#[ignore = "needs a Hopper GPU"]
fn feed_forward_of_bytes_agrees_with_the_plain_version() {
    if !multiplies_bytes() {
        return;
    }
    const ROWS: usize = 256;
    let mut numbers = Numbers(48);
    // The last two have GELU whose bytes a kernel of its own makes.
    for hidden in [1280, 320, 480, 160] {
        let wide = 4 * hidden;
        let x = numbers.vector(ROWS * hidden, 1.0, Dtype::Bf16);
        let gamma = numbers.vector(hidden, 1.0, Dtype::F32);
        let beta = numbers.vector(hidden, 0.3, Dtype::F32);
        let mut layer = |shape @ [n_out, n_in]: [usize; 2], code| {
            let scale = 2.0 / (n_in as f32).sqrt();
            let weights = numbers.vector(n_out * n_in, scale, Dtype::Bf16);
            let bias = numbers.vector(n_out, 0.3, Dtype::Bf16);
            let bytes = QuantisedWeights::new(&weights, shape, bias.clone(), code);
            [false, true].map(|quantised| {
                if quantised {
                    [gpu().device, Device::flex()].map(|at| Linear::quantised(bytes.clone(), &at))
                } else {
                    [
                        Linear::new(
                            on_gpu(&weights, shape, Dtype::Bf16),
                            on_gpu(&bias, [n_out], Dtype::Bf16),
                        ),
                        Linear::new(on_cpu(&weights, shape), on_cpu(&bias, [n_out])),
                    ]
                }
            })
        };
        let expand = layer([wide, hidden], Code::Signed);
        let contract = layer([hidden, wide], Code::Gelu);
        let norms = [
            LayerNorm::new(
                on_gpu(&gamma, [hidden], Dtype::F32),
                on_gpu(&beta, [hidden], Dtype::F32),
                1e-5,
            ),
            LayerNorm::new(on_cpu(&gamma, [hidden]), on_cpu(&beta, [hidden]), 1e-5),
        ];
        let inputs = [
            on_gpu(&x, [ROWS, hidden], Dtype::Bf16),
            on_cpu(&x, [ROWS, hidden]),
        ];
        for (wide, narrow) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let [got, want] = [0, 1].map(|at| {
                let (expand, contract) = (&expand[wide][at], &contract[narrow][at]);
                let y = feed_forward(&inputs[at], &norms[at], expand, contract, Epilogue::Gelu);
                let y = y.cast(DType::F32) - inputs[at].clone().cast(DType::F32);
                values(y).expect("a layer").to_f32()
            });
            let want: Vec<f64> = want.into_iter().map(f64::from).collect();
            let error = relative_error(&got, &want);
            // Sums with the residual are rounded to bf16, and so is what is not of bytes.
            assert!(error < 0.01, "{hidden}, {wide} {narrow}: {error:e}");
        }
    }
}
