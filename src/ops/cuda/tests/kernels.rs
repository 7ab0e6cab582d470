//! Kernels against references in f64. They need a GPU.

use super::*;
use crate::{
    alphabet::MASK,
    ops::cuda::{gelu::gelu, operand::Operand},
};

/// One head of one sequence in f64, with queries and keys rounded after their rotation as the
/// kernels round them: `[L, head_dim]`.
fn attend(parts: [&[f32]; 3], head_dim: usize, rotary: &RotaryTable, dtype: Dtype) -> Vec<f64> {
    let [queries, keys, values] = parts;
    let rotate = |rows: &[f32]| -> Vec<f64> {
        let half = head_dim / 2;
        let mut rotated = vec![0.0; rows.len()];
        for (position, row) in rows.chunks(head_dim).enumerate() {
            let (cos, sin) = (rotary.cos(position), rotary.sin(position));
            for i in 0..half {
                let (x, y) = (row[i], row[i + half]);
                let (cos, sin) = (cos[i], sin[i]);
                let at = position * head_dim + i;
                rotated[at] = f64::from(round(x * cos - y * sin, dtype));
                rotated[at + half] = f64::from(round(y * cos + x * sin, dtype));
            }
        }
        rotated
    };
    let (queries, keys) = (rotate(queries), rotate(keys));
    let scale = 1.0 / (head_dim as f64).sqrt();
    let mut output = Vec::with_capacity(values.len());
    for query in queries.chunks(head_dim) {
        let scores: Vec<f64> = keys
            .chunks(head_dim)
            .map(|key| scale * query.iter().zip(key).map(|(q, k)| q * k).sum::<f64>())
            .collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut mixed = vec![0.0; head_dim];
        for (weight, value) in weights.iter().zip(values.chunks(head_dim)) {
            for (mixed, &value) in mixed.iter_mut().zip(value) {
                *mixed += weight / sum * f64::from(value);
            }
        }
        output.extend(mixed);
    }
    output
}

#[test]
#[ignore = "needs a GPU"]
fn attention_agrees_with_f64() {
    let lengths = [
        4096, 1022, 1, 2, 3, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256, 257, 700,
    ];
    let mut numbers = Numbers(1);
    for dtype in Dtype::FLOATS {
        for head_dim in [16, 24, 32, 64, 128, 10] {
            const HEADS: usize = 2;
            let hidden = HEADS * head_dim;
            let tokens = tokens(&lengths, dtype, head_dim);
            let rows = n_rows(&tokens);
            let rotary = RotaryTable::new(RotaryTable::frequencies(head_dim, 1e4), 4096);
            let qkv = numbers.vector(rows * 3 * hidden, 2.0, dtype);
            let got = attention(&on_gpu(&qkv, [rows, 3 * hidden], dtype), &tokens, &rotary);
            let got = values(got).expect("attention").to_f32();
            for range in tokens.segments().ranges() {
                // The longest sequence is checked in one head only, as its reference is slow.
                for head in 0..if range.len() > 1000 { 1 } else { HEADS } {
                    let part = |n: usize| -> Vec<f32> {
                        let column = n * hidden + head * head_dim;
                        let rows = range.clone().map(|row| row * 3 * hidden + column);
                        rows.flat_map(|at| qkv[at..at + head_dim].to_vec())
                            .collect()
                    };
                    let (queries, keys, values) = (part(0), part(1), part(2));
                    let want = attend([&queries, &keys, &values], head_dim, &rotary, dtype);
                    let rows = range.clone().map(|row| row * hidden + head * head_dim);
                    let got: Vec<f32> = rows
                        .flat_map(|at| got[at..at + head_dim].to_vec())
                        .collect();
                    let error = relative_error(&got, &want);
                    // Weights and results are rounded once each, which gives about a unit by norm;
                    // sums in f32 add some units of f32.
                    let bound = 1.5 * unit(dtype) + 40.0 * unit(Dtype::F32);
                    assert!(
                        error <= bound,
                        "{dtype:?}, heads of {head_dim}, {} tokens: {error:e}",
                        range.len()
                    );
                }
            }
            assert!(
                got[tokens.input_ids().len() * hidden..]
                    .iter()
                    .all(|&x| x == 0.0),
                "rows of padding are zero"
            );
        }
    }
}

/// The tanh form of GELU.
fn tanh_form(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
    0.5 * x * (1.0 + inner.tanh())
}

/// The erf form of GELU.
fn erf_form(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// The error function by its Taylor series, to 1e-8.
pub(super) fn erf(x: f64) -> f64 {
    if x.abs() > 4.2 {
        return x.signum();
    }
    let (mut power, mut sum) = (x, x);
    for n in 1..100 {
        power *= -x * x / f64::from(n);
        sum += power / f64::from(2 * n + 1);
    }
    std::f64::consts::FRAC_2_SQRT_PI * sum
}

/// Columns of the products that GELU is looked at behind.
const GELU_WIDTH: usize = 64;

/// Numbers of a format from −4 to 4, in rows of [`GELU_WIDTH`]. Beyond, `1 + erf` has no digits left.
fn gelu_arguments(dtype: Dtype) -> Vec<f32> {
    let mut x = Numbers(8).vector(4096 * GELU_WIDTH, 4.0, dtype);
    // The GELU of 0 is 0 in every form.
    x.iter_mut().filter(|x| **x == 0.0).for_each(|x| *x = 1.0);
    x
}

/// Where GELUs of `x` lie between the erf form, 0, and the tanh form, 1. Each counts by how finely its
/// format holds it: rounding moves the small ones of negative numbers by far less than the forms differ.
fn way_to_tanh_form(gelus: &[f32], x: &[f64]) -> f64 {
    let (mut along, mut square) = (0.0, 0.0);
    for (&gelu, &x) in gelus.iter().zip(x) {
        let erf = erf_form(x);
        let way = tanh_form(x) - erf;
        let weight = 1.0 / (erf * erf);
        along += weight * (f64::from(gelu) - erf) * way;
        square += weight * way * way;
    }
    along / square
}

/// The measure itself, without a GPU: rounded values of either form are told apart.
#[test]
fn the_forms_of_gelu_are_told_apart() {
    // From tables of the error function.
    for (x, want) in [
        (0.5, 0.520_499_877_8),
        (1.0, 0.842_700_792_9),
        (3.0, 0.999_977_909_5),
    ] {
        assert!((erf(x) - want).abs() < 1e-9, "erf({x})");
    }
    for dtype in Dtype::FLOATS {
        let x = gelu_arguments(dtype);
        let exact: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let way = |form: fn(f64) -> f64| {
            let gelus: Vec<f32> = exact
                .iter()
                .map(|&x| round(form(x) as f32, dtype))
                .collect();
            way_to_tanh_form(&gelus, &exact)
        };
        let (erf, tanh) = (way(erf_form), way(tanh_form));
        assert!(erf.abs() < 0.05, "{dtype:?}: {erf}");
        assert!((tanh - 1.0).abs() < 0.05, "{dtype:?}: {tanh}");
    }
}

#[test]
#[ignore = "needs a GPU"]
fn linear_agrees_with_f64() {
    let mut numbers = Numbers(2);
    for dtype in Dtype::FLOATS {
        for (rows, n_in, n_out) in [(256, 64, 192), (512, 320, 1280), (256, 1280, 320)] {
            let x = numbers.vector(rows * n_in, 1.0, dtype);
            let weight = numbers.vector(n_out * n_in, 0.2, dtype);
            let bias = numbers.vector(n_out, 1.0, dtype);
            let residual = numbers.vector(rows * n_out, 1.0, dtype);
            let linear = Linear::new(
                on_gpu(&weight, [n_out, n_in], dtype),
                on_gpu(&bias, [n_out], dtype),
            );
            let added = on_gpu(&residual, [rows, n_out], dtype);
            let mut plain = Vec::with_capacity(rows * n_out);
            for row in x.chunks(n_in) {
                for (weights, &bias) in weight.chunks(n_in).zip(&bias) {
                    let products = row.iter().zip(weights);
                    let sum: f64 = products.map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
                    plain.push(sum + f64::from(bias));
                }
            }
            let with_residual: Vec<f64> = plain
                .iter()
                .zip(&residual)
                .map(|(y, &r)| y + f64::from(r))
                .collect();
            for (epilogue, want) in [
                (Epilogue::None, plain.clone()),
                (
                    Epilogue::GeluTanh,
                    plain.iter().copied().map(tanh_form).collect(),
                ),
                (
                    Epilogue::Gelu,
                    plain.iter().copied().map(erf_form).collect(),
                ),
                (Epilogue::Residual(&added), with_residual),
            ] {
                if dtype == Dtype::F32 && matches!(epilogue, Epilogue::GeluTanh) {
                    // Models in f32 compute the erf form.
                    continue;
                }
                let got = linear.forward(on_gpu(&x, [rows, n_in], dtype), epilogue);
                let error = relative_error(&values(got).expect("linear").to_f32(), &want);
                assert!(
                    error <= unit(dtype) + 1e-6,
                    "{dtype:?}, {rows} x {n_in} x {n_out}, {epilogue:?}: {error:e}"
                );
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn each_gelu_is_its_own_form() {
    for dtype in Dtype::FLOATS {
        // The identity passes on numbers that the format holds, so that GELU alone rounds.
        let mut identity = vec![0.0; GELU_WIDTH * GELU_WIDTH];
        identity
            .iter_mut()
            .step_by(GELU_WIDTH + 1)
            .for_each(|x| *x = 1.0);
        let linear = Linear::new(
            on_gpu(&identity, [GELU_WIDTH, GELU_WIDTH], dtype),
            on_gpu(&[0.0; GELU_WIDTH], [GELU_WIDTH], dtype),
        );
        let x = gelu_arguments(dtype);
        let exact: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let way = |epilogue| {
            let shape = [x.len() / GELU_WIDTH, GELU_WIDTH];
            let got = linear.forward(on_gpu(&x, shape, dtype), epilogue);
            way_to_tanh_form(&values(got).expect("GELU").to_f32(), &exact)
        };
        let erf = way(Epilogue::Gelu);
        // Models in f32 compute the erf form only.
        let tanh = match dtype {
            Dtype::F32 => 1.0,
            _ => way(Epilogue::GeluTanh),
        };
        assert!(
            erf.abs() < 0.25 && (tanh - 1.0).abs() < 0.25,
            "{dtype:?}: the erf form is {erf} of the way to the tanh form, the tanh form {tanh}"
        );
    }
}

#[test]
#[ignore = "needs a GPU"]
fn layer_norm_agrees_with_f64() {
    let mut numbers = Numbers(3);
    for dtype in Dtype::FLOATS {
        for width in [64, 160, 320, 480, 640, 1280, 2560, 5120] {
            const ROWS: usize = 37;
            let x = numbers.vector(ROWS * width, 3.0, dtype);
            let weight = numbers.vector(width, 1.0, Dtype::F32);
            let bias = numbers.vector(width, 1.0, Dtype::F32);
            let norm = LayerNorm::new(
                on_gpu(&weight, [width], Dtype::F32),
                on_gpu(&bias, [width], Dtype::F32),
                1e-5,
            );
            let got = norm.forward(&on_gpu(&x, [ROWS, width], dtype));
            let mut want = Vec::with_capacity(ROWS * width);
            for row in x.chunks(width) {
                let n = width as f64;
                let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
                let variance = row
                    .iter()
                    .map(|&x| (f64::from(x) - mean).powi(2))
                    .sum::<f64>()
                    / n;
                let columns = row.iter().zip(&weight).zip(&bias);
                want.extend(columns.map(|((&x, &w), &b)| {
                    (f64::from(x) - mean) / (variance + 1e-5).sqrt() * f64::from(w) + f64::from(b)
                }));
            }
            let error = relative_error(&values(got).expect("layer norm").to_f32(), &want);
            assert!(error <= unit(dtype) + 1e-6, "{dtype:?}, {width}: {error:e}");
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn pooling_and_embedding_agree_with_f64() {
    let mut numbers = Numbers(4);
    for dtype in Dtype::FLOATS {
        for width in [64, 160, 1280] {
            let tokens = tokens(&[3, 4, 35, 200, 1000, 5], dtype, 32);
            let table = numbers.vector(33 * width, 1.0, dtype);
            let x = embedding(&on_gpu(&table, [33, width], dtype), &tokens, false);
            let row = |token: usize, i: usize| {
                f64::from(table[tokens.input_ids()[token] as usize * width + i])
            };
            for pooling in Pooling::ALL {
                let mut want = Vec::new();
                for range in tokens.segments().ranges() {
                    want.extend((0..width).map(|i| {
                        let column = range.clone().map(|token| row(token, i));
                        pooled(&column.collect::<Vec<_>>(), pooling)
                    }));
                }
                let got = values(pool(&x, &tokens, pooling))
                    .expect("pooling")
                    .to_f32();
                let error = relative_error(&got, &want);
                assert!(error <= 1e-6, "{dtype:?}, {width}, {pooling:?}: {error:e}");
            }
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn token_dropout_agrees_with_f64() {
    let mut numbers = Numbers(5);
    for dtype in Dtype::FLOATS {
        for width in [64, 1280] {
            // The third sequence is the first one with a mask, the fourth one has several; the others have none.
            let tokens = tokens(&[3, 20, 35, 1000, 3, 5], dtype, 32);
            let table = numbers.vector(33 * width, 1.0, dtype);
            let table_there = on_gpu(&table, [33, width], dtype);
            let embedded = |token_dropout| {
                let embedded = values(embedding(&table_there, &tokens, token_dropout));
                embedded.expect("embedding").to_f32()
            };
            let (got, plain) = (embedded(true), embedded(false));
            for range in tokens.segments().ranges() {
                let ids = &tokens.input_ids()[range.clone()];
                let n_masks = ids.iter().filter(|&&id| id == MASK).count();
                let numbers = range.start * width..range.end * width;
                if n_masks == 0 {
                    assert_eq!(got[numbers.clone()], plain[numbers], "as before");
                    continue;
                }
                let kept = 1.0 - n_masks as f64 / ids.len() as f64;
                let want = ids.iter().flat_map(|&id| {
                    let row = &table[id as usize * width..][..width];
                    row.iter().map(move |&x| match id {
                        MASK => 0.0,
                        _ => f64::from(x) / kept,
                    })
                });
                let error = relative_error(&got[numbers], &want.collect::<Vec<_>>());
                assert!(error <= unit(dtype) + 1e-7, "{dtype:?}, {width}: {error:e}");
            }
        }
    }
}

/// Every kernel of ours on small inputs, for compute-sanitizer, under which the other tests take
/// hours. No kernel reads what one of cuBLASLt wrote: initcheck does not see those stores.
#[test]
#[ignore = "needs a GPU"]
fn every_kernel_runs() {
    let mut numbers = Numbers(6);
    for dtype in Dtype::FLOATS {
        for head_dim in [16, 24, 32, 64, 128, 10] {
            let hidden = 8 * head_dim;
            let tokens = tokens(&[3, 200, 64, 65, 16, 130], dtype, head_dim);
            let rows = n_rows(&tokens);
            let rotary = RotaryTable::new(RotaryTable::frequencies(head_dim, 1e4), 200);
            let table = on_gpu(
                &numbers.vector(33 * hidden, 1.0, dtype),
                [33, hidden],
                dtype,
            );
            let embedded = embedding(&table, &tokens, true);
            let qkv = numbers.vector(rows * 3 * hidden, 1.0, dtype);
            let context = attention(&on_gpu(&qkv, [rows, 3 * hidden], dtype), &tokens, &rotary);
            let expanded = on_gpu(
                &numbers.vector(rows * hidden, 1.0, dtype),
                [rows, hidden],
                dtype,
            );
            gelu(&Operand::new(&expanded), rows, hidden);
            let ones = on_gpu(&vec![1.0; hidden], [hidden], Dtype::F32);
            let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
            let vectors = [embedded, context, expanded].into_iter().flat_map(|x| {
                let normal = norm.forward(&x);
                Pooling::ALL.map(|pooling| pool(&normal, &tokens, pooling))
            });
            let results = Results::start(vectors.collect(), &tokens, std::time::Instant::now());
            let (vectors, _) = results
                .and_then(|x| x.wait(&Default::default()))
                .expect("results");
            assert!(
                vectors.iter().all(|x| x.are_finite(0..x.len())),
                "{dtype:?} {head_dim}"
            );
        }
    }
}

/// Every kind of product on small inputs, for compute-sanitizer: what is given to cuBLASLt must fit.
#[test]
#[ignore = "needs a GPU"]
fn every_product_runs() {
    let mut numbers = Numbers(7);
    let (rows, hidden) = (96, 160);
    for dtype in Dtype::FLOATS {
        let x = on_gpu(
            &numbers.vector(rows * hidden, 1.0, dtype),
            [rows, hidden],
            dtype,
        );
        let weight = numbers.vector(hidden * hidden, 0.1, dtype);
        let bias = numbers.vector(hidden, 1.0, dtype);
        let linear = Linear::new(
            on_gpu(&weight, [hidden, hidden], dtype),
            on_gpu(&bias, [hidden], dtype),
        );
        let residual = x.clone();
        for epilogue in [
            Epilogue::None,
            Epilogue::Gelu,
            Epilogue::GeluTanh,
            Epilogue::Residual(&residual),
        ] {
            if dtype == Dtype::F32 && matches!(epilogue, Epilogue::GeluTanh) {
                continue;
            }
            let y = values(linear.forward(x.clone(), epilogue))
                .expect("a product")
                .to_f32();
            assert!(y.iter().all(|y| y.is_finite()), "{dtype:?} {epilogue:?}");
        }
    }
}
