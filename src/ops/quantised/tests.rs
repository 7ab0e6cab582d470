//! The plain version against f64, and layers of bytes against those that they stand for.

use super::{
    super::{
        Epilogue, LayerNorm, Linear, feed_forward,
        tests::{Numbers, assert_close},
    },
    code::{BLOCK, LEAST_GELU},
    rounding, *,
};
use burn::tensor::{DType, Device, Tensor, TensorData};

fn tensor<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_into_vec().expect("f32")
}

/// The numbers that rows of so many stand for, by the definition of their code.
fn dequantised(rows: &Quantised, code: Code, width: usize) -> Vec<f64> {
    let (bytes, scales) = rows.read();
    let rows = bytes.chunks(width).zip(scales.chunks(code.n_scales(width)));
    rows.flat_map(|(bytes, scales)| {
        bytes.iter().enumerate().map(|(column, &byte)| {
            let byte = f64::from(byte);
            match code {
                Code::Signed => f64::from(scales[0]) * byte,
                Code::Gelu => f64::from(scales[column / BLOCK]) * byte - 0.17,
            }
        })
    })
    .collect()
}

/// The error of `got` relative to `want`, by norm.
fn relative_error(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let pairs = || got.iter().zip(want);
    let error: f64 = pairs()
        .map(|(&got, want)| (f64::from(got) - want).powi(2))
        .sum();
    (error / pairs().map(|(_, want)| want * want).sum::<f64>()).sqrt()
}

/// `x W^T + b` in f64.
fn product(x: &[f64], weights: &[f32], bias: &[f32], n_in: usize) -> Vec<f64> {
    let rows = x.chunks(n_in);
    let y = rows.flat_map(|row| {
        weights.chunks(n_in).zip(bias).map(|(channel, &bias)| {
            let products = row.iter().zip(channel);
            products.map(|(x, &w)| x * f64::from(w)).sum::<f64>() + f64::from(bias)
        })
    });
    y.collect()
}

fn rounded((scale, bytes): (f32, impl Iterator<Item = i16>)) -> (f32, Vec<i16>) {
    (scale, bytes.collect())
}

#[test]
fn signed_bytes_are_the_nearest_multiples_of_their_scale() {
    let check = |numbers: &[f32], scale: f32, expect: &[i16]| {
        let got = rounded(rounding::signed(numbers));
        assert_eq!(got, (scale, expect.to_vec()), "{numbers:?}");
    };
    // Halves go to even numbers.
    check(
        &[127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 0.51, -126.4],
        1.0,
        &[127, 0, 2, 2, 0, -2, 1, -126],
    );
    check(&[-254.0, 3.0, 0.0], 2.0, &[-127, 2, 0]);
    // A row of zeros stays one.
    check(&[0.0, -0.0], 0.0, &[0, 0]);
    // So does a row of numbers so small that 127 over them is no number.
    check(&[1e-40, 0.0], 1e-40 / 127.0, &[0, 0]);
    check(&[], 0.0, &[]);
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
        let (scale, _) = rounding::signed(&[1.0, odd, 2.0]);
        assert!(!scale.is_finite(), "{odd} is not lost");
    }
}

#[test]
fn bytes_behind_gelu_have_an_exact_zero_and_hold_the_greatest_number() {
    let check = |numbers: &[f32], zero: f32, expect: &[i16]| {
        let got = rounded(rounding::gelu(numbers));
        assert_eq!(got, (0.17 / zero, expect.to_vec()), "{numbers:?}");
    };
    // 255 steps of 0.17 / 37 reach from −0.17 to 1.0016; 38 below zero would leave 0.97 above it.
    check(&[1.0, 0.0, -0.17, 0.1, -0.05], 37.0, &[255, 37, 0, 59, 26]);
    // The largest that was seen is 12.4.
    check(&[12.4, 0.0, -0.17], 3.0, &[222, 3, 0]);
    // One step below zero at least: what is above 43 is cut off.
    check(&[100.0, 0.0, 1e30], 1.0, &[255, 1, 255]);
    // Nothing above zero, and nothing at all.
    let zero = (255.0 * LEAST_GELU / LEAST_GELU).floor();
    check(&[-0.17, -0.1], zero, &[0, 105]);
    check(&[], zero, &[]);
    for odd in [f32::NAN, f32::INFINITY] {
        let (scale, _) = rounding::gelu(&[1.0, odd, 2.0]);
        assert!(scale.is_nan(), "{odd} is not lost");
    }
}

#[test]
fn rows_are_within_half_a_step() {
    const WIDTH: usize = 600;
    let mut numbers = Numbers(31);
    for code in [Code::Signed, Code::Gelu] {
        let x = match code {
            Code::Signed => numbers.tensor([5, WIDTH], 3.0),
            Code::Gelu => Epilogue::Gelu.plain(numbers.tensor([5, WIDTH], 6.0)),
        };
        let rows = quantise(&x, code);
        let (_, scales) = rows.read();
        let n_scales = scales.len() / 5;
        assert_eq!(n_scales, if code == Code::Signed { 1 } else { 3 });
        let numbers = dequantised(&rows, code, WIDTH).into_iter().zip(values(&x));
        for (n, (got, want)) in numbers.enumerate() {
            let block = if n_scales == 1 { 0 } else { n % WIDTH / BLOCK };
            let scale = scales[n / WIDTH * n_scales + block];
            let error = (got - f64::from(want)).abs();
            assert!(
                error <= f64::from(scale) * 0.5001,
                "{code:?}, {n}: {got}, not {want}"
            );
        }
    }
}

#[test]
fn weights_are_within_half_a_step_of_their_own_output() {
    let (n_out, n_in) = (7, 600);
    let mut weights = values(&Numbers(32).tensor([n_out, n_in], 0.2));
    // Those of one output are much larger, and those of one are nothing.
    let (_, larger) = weights.split_at_mut(n_in);
    larger[..n_in].iter_mut().for_each(|x| *x *= 50.0);
    weights[2 * n_in..3 * n_in].fill(0.0);
    let bias = vec![0.0; n_out];
    let quantised = QuantisedWeights::new(&weights, [n_out, n_in], bias, Code::Signed);
    let got = quantised.dequantised();
    assert_eq!(got.len(), n_out * n_in);
    for (n, (want, got)) in weights.chunks(n_in).zip(got.chunks(n_in)).enumerate() {
        let greatest = want.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
        assert_eq!(quantised.scales[n], greatest / 127.0);
        for (want, got) in want.iter().zip(got) {
            let most = greatest / 127.0 * 0.5001;
            assert!((want - got).abs() <= most, "{want}: {got}");
        }
    }
}

#[test]
fn products_are_those_of_the_numbers_that_bytes_stand_for() {
    let mut numbers = Numbers(33);
    for (n_rows, n_in, n_out) in [
        (1, 8, 3),
        (5, 256, 9),
        (4, 320, 24),
        (3, 1280, 7),
        (2, 600, 5),
    ] {
        let weights = values(&numbers.tensor([n_out, n_in], 0.2));
        let bias = values(&numbers.tensor([n_out], 1.0));
        let residual = numbers.tensor([n_rows, n_out], 1.0);
        for code in [Code::Signed, Code::Gelu] {
            let x = match code {
                Code::Signed => numbers.tensor([n_rows, n_in], 3.0),
                Code::Gelu => Epilogue::Gelu.plain(numbers.tensor([n_rows, n_in], 3.0)),
            };
            let x = quantise(&x, code);
            let shape = [n_out, n_in];
            let quantised = QuantisedWeights::new(&weights, shape, bias.clone(), code);
            let rounded = quantised.dequantised();
            let linear = QuantisedLinear::new(quantised, &Device::flex());
            let want = product(&dequantised(&x, code, n_in), &rounded, &bias, n_in);
            let what = format!("{n_rows} x {n_in} x {n_out}, {code:?}");

            let plain = values(&linear.forward(&x, Epilogue::None));
            let error = relative_error(&plain, &want);
            assert!(error < 1e-6, "{what}: {error:e}");

            let y = tensor(&plain, [n_rows, n_out]);
            let added = linear.forward(&x, Epilogue::Residual(&residual));
            assert_close(added, y.clone() + residual.clone(), 1e-5, &what);
            // Both forms are the erf form.
            for form in [Epilogue::Gelu, Epilogue::GeluTanh] {
                let gelu = linear.forward(&x, form);
                assert_close(gelu, Epilogue::Gelu.plain(y.clone()), 1e-6, &what);
            }
            let bytes = linear.forward_quantised(&x);
            let expect = quantise(&Epilogue::Gelu.plain(y), Code::Gelu);
            assert_eq!(bytes.read(), expect.read(), "{what}");
        }
    }
}

/// The format of products is that of what they are made of, however it was rounded between.
#[test]
fn products_are_in_the_format_of_activations() {
    let mut numbers = Numbers(34);
    let weights = values(&numbers.tensor([4, 16], 0.2));
    let weights = QuantisedWeights::new(&weights, [4, 16], vec![0.0; 4], Code::Signed);
    let linear = Linear::quantised(weights, &Device::flex());
    let norm = LayerNorm::new(numbers.tensor([16], 1.0), numbers.tensor([16], 1.0), 1e-5);
    let x = numbers.tensor([3, 16], 1.0);
    let residual = numbers.tensor([3, 4], 1.0);
    for dtype in [DType::F32, DType::BF16] {
        let (x, residual) = (x.clone().cast(dtype), residual.clone().cast(dtype));
        for epilogue in [
            Epilogue::None,
            Epilogue::Gelu,
            Epilogue::Residual(&residual),
        ] {
            assert_eq!(linear.forward(x.clone(), epilogue).dtype(), dtype);
            assert_eq!(linear.forward_normal(&norm, &x, epilogue).dtype(), dtype);
        }
    }
}

/// A feed-forward layer, each of whose products is of bytes or is not.
#[test]
fn layers_of_bytes_are_near_those_that_they_stand_for() {
    let (n_rows, hidden, wide) = (40, 320, 1280);
    let mut numbers = Numbers(35);
    let norm = LayerNorm::new(
        numbers.tensor([hidden], 1.0),
        numbers.tensor([hidden], 0.3),
        1e-5,
    );
    let mut layer = |n_out, n_in: usize, code| {
        let scale = 1.7 / (n_in as f32).sqrt();
        let weight = numbers.tensor([n_out, n_in], scale);
        let bias = numbers.tensor([n_out], 0.3);
        let quantised = QuantisedWeights::new(&values(&weight), [n_out, n_in], values(&bias), code);
        let quantised = Linear::quantised(quantised, &Device::flex());
        [Linear::new(weight, bias), quantised]
    };
    let expand = layer(wide, hidden, Code::Signed);
    let contract = layer(hidden, wide, Code::Gelu);
    let x = numbers.tensor([n_rows, hidden], 1.0);
    let forward = |expand, contract| {
        let y = feed_forward(&x, &norm, expand, contract, Epilogue::Gelu);
        values(&(y - x.clone()))
    };
    let want = forward(&expand[0], &contract[0]);
    let want: Vec<f64> = want.into_iter().map(f64::from).collect();
    // Uniform weights and inputs that are rounded with 127 steps have errors of 0.3 to 0.6 % each.
    for (n_expand, n_contract, most) in [(0, 1, 0.01), (1, 0, 0.012), (1, 1, 0.015)] {
        let error = relative_error(&forward(&expand[n_expand], &contract[n_contract]), &want);
        assert!(error < most, "{n_expand} {n_contract}: {error}");
        assert!(
            error > 1e-4,
            "{n_expand} {n_contract} are of bytes: {error}"
        );
    }
}

#[test]
fn a_row_has_the_same_bits_among_any_rows_and_keeps_its_nan() {
    let (hidden, wide) = (40, 300);
    let mut numbers = Numbers(36);
    let mut layer = |n_out, n_in, code| {
        let weights = values(&numbers.tensor([n_out, n_in], 0.2));
        let bias = vec![0.1; n_out];
        let weights = QuantisedWeights::new(&weights, [n_out, n_in], bias, code);
        Linear::quantised(weights, &Device::flex())
    };
    let (expand, contract) = (
        layer(wide, hidden, Code::Signed),
        layer(hidden, wide, Code::Gelu),
    );
    let norm = LayerNorm::new(
        numbers.tensor([hidden], 1.0),
        numbers.tensor([hidden], 1.0),
        1e-5,
    );
    let mut x = values(&numbers.tensor([9, hidden], 2.0));
    x[4 * hidden + 3] = f32::NAN;
    let x = tensor(&x, [9, hidden]);
    let forward = |x: &Tensor<2>| {
        let y = feed_forward(x, &norm, &expand, &contract, Epilogue::Gelu);
        values(&(y - x.clone()))
    };
    let all = forward(&x);
    for row in 0..9 {
        let alone = forward(&x.clone().slice([row..row + 1, 0..hidden]));
        let among = &all[row * hidden..][..hidden];
        if row == 4 {
            assert!(alone.iter().chain(among).all(|y| y.is_nan()));
        } else {
            assert_eq!(alone, among, "row {row}");
        }
    }
}
