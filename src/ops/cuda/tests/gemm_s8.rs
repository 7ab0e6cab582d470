//! Products of bytes against f64, and rows of them against themselves in other batches. They need a Hopper GPU.

use super::{super::super::quantised::BLOCK, *};
use std::ops::Range;

/// Rows that products are tested with, and those of them that are compared with f64: whole tiles, parts of tiles, and a
/// single one.
const ROWS: [(usize, &[usize]); 4] = [
    (1, &[0]),
    (127, &[0, 63, 64, 126]),
    (300, &[0, 8, 127, 128, 255, 256, 299]),
    (2100, &[5, 1023, 1024, 2047, 2048, 2099]),
];

/// A layer of bytes on the GPU and what it stands for.
struct Layer {
    shape: [usize; 2],
    code: Code,
    linear: QuantisedLinear,
    /// `[out, in]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn new(numbers: &mut Numbers, shape: [usize; 2], code: Code) -> Self {
        let [n_out, n_in] = shape;
        let scale = 2.0 / (n_in as f32).sqrt();
        let weights = numbers.vector(n_out * n_in, scale, Dtype::F32);
        let bias = numbers.vector(n_out, 0.5, Dtype::F32);
        let bytes = QuantisedWeights::new(&weights, shape, bias.clone(), code);
        Self {
            shape,
            code,
            weights: bytes.dequantised(),
            linear: QuantisedLinear::new(bytes, &gpu().device),
            bias,
        }
    }

    /// Inputs, `[n_rows, in]`.
    fn inputs(&self, numbers: &mut Numbers, n_rows: usize) -> Vec<f32> {
        let mut x = numbers.vector(n_rows * self.shape[1], 3.0, Dtype::Bf16);
        if self.code == Code::Gelu {
            x.iter_mut().for_each(|x| *x = x.max(-0.125));
        }
        x
    }

    fn quantised(&self, x: &[f32]) -> Quantised {
        let [_, n_in] = self.shape;
        quantise(&on_gpu(x, [x.len() / n_in, n_in], Dtype::Bf16), self.code)
    }

    /// The product of one row, in f64.
    fn product(&self, rows: &(Vec<i16>, Vec<f32>), row: usize) -> Vec<f64> {
        let [_, n_in] = self.shape;
        let n_scales = self.code.n_scales(n_in);
        let scales = &rows.1[row * n_scales..][..n_scales];
        let bytes = rows.0[row * n_in..][..n_in].iter().enumerate();
        let x: Vec<f64> = bytes
            .map(|(column, &byte)| match self.code {
                Code::Signed => f64::from(scales[0]) * f64::from(byte),
                Code::Gelu => f64::from(scales[column / BLOCK]) * f64::from(byte) - 0.17,
            })
            .collect();
        let channels = self.weights.chunks(n_in).zip(&self.bias);
        channels
            .map(|(channel, &bias)| {
                let products = x.iter().zip(channel);
                products.map(|(x, &w)| x * f64::from(w)).sum::<f64>() + f64::from(bias)
            })
            .collect()
    }
}

/// Shapes of weights of models, `[out, in]`: 650M, 3B, 8M, 35M and the demo, and one with few columns.
fn shapes() -> Vec<([usize; 2], Code)> {
    let of_model = |hidden| {
        [
            ([3 * hidden, hidden], Code::Signed),
            ([hidden, hidden], Code::Signed),
            ([4 * hidden, hidden], Code::Signed),
            ([hidden, 4 * hidden], Code::Gelu),
        ]
    };
    let models = [1280, 2560, 320, 480, 160].into_iter().flat_map(of_model);
    models.chain([([32, 320], Code::Signed)]).collect()
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + super::kernels::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn products_of_bytes_agree_with_f64() {
    if !multiplies_bytes() {
        return;
    }
    let mut numbers = Numbers(61);
    for (shape @ [n_out, _], code) in shapes() {
        let layer = Layer::new(&mut numbers, shape, code);
        for (n_rows, compared) in ROWS {
            let x = layer.quantised(&layer.inputs(&mut numbers, n_rows));
            let residual = numbers.vector(n_rows * n_out, 1.0, Dtype::Bf16);
            let there = on_gpu(&residual, [n_rows, n_out], Dtype::Bf16);
            let [plain, gelus, added] =
                [Epilogue::None, Epilogue::Gelu, Epilogue::Residual(&there)].map(|epilogue| {
                    let y = values(layer.linear.forward(&x, epilogue));
                    y.expect("a product").to_f32()
                });
            let bytes = x.read();
            for &row in compared {
                let product = layer.product(&bytes, row);
                for (column, product) in product.into_iter().enumerate() {
                    let at = row * n_out + column;
                    for (what, got, want) in [
                        ("plain", plain[at], product),
                        ("GELU", gelus[at], gelu(product)),
                        ("added", added[at], product + f64::from(residual[at])),
                    ] {
                        // Rounded once, to half a unit in the last place. Before that, sums in f32 are off by some
                        // units of the greatest of them, and GELU by 1e-6.
                        let most = want.abs() * unit(Dtype::Bf16) + 1e-5;
                        assert!(
                            (f64::from(got) - want).abs() <= most,
                            "{shape:?}, {n_rows} rows, {what}, {row} {column}: {got}, not {want}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn bytes_behind_gelu_agree_with_f64() {
    if !multiplies_bytes() {
        return;
    }
    let mut numbers = Numbers(62);
    for hidden in [1280, 2560, 320] {
        let shape @ [n_out, _] = [4 * hidden, hidden];
        let layer = Layer::new(&mut numbers, shape, Code::Signed);
        for (n_rows, compared) in ROWS {
            let x = layer.quantised(&layer.inputs(&mut numbers, n_rows));
            let (bytes, scales) = layer.linear.forward_quantised(&x).read();
            let x = x.read();
            for &row in compared {
                let want: Vec<f64> = layer.product(&x, row).into_iter().map(gelu).collect();
                for (block, want) in want.chunks(BLOCK).enumerate() {
                    let scale = f64::from(scales[row * (n_out / BLOCK) + block]);
                    let steps = 0.17 / scale;
                    assert!(
                        (steps - steps.round()).abs() < 1e-4,
                        "zero is exact: {steps}"
                    );
                    let greatest = want.iter().copied().fold(0.0, f64::max);
                    let exact = (43.35 / (greatest + 0.17)).max(1.0);
                    // GELU in f16 is off by up to 5e-4 of its greatest numbers.
                    assert!(
                        steps.round() <= exact * 1.001 && steps.round() > exact * 0.999 - 1.0,
                        "{hidden}, row {row}, block {block}: {steps} steps, not {exact}"
                    );
                    let at = row * n_out + block * BLOCK;
                    for (want, &byte) in want.iter().zip(&bytes[at..]) {
                        let off = ((want + 0.17) / scale - f64::from(byte)).abs();
                        assert!(
                            off <= 0.8,
                            "{hidden}, row {row}, block {block}: {off} steps"
                        );
                    }
                }
            }
        }
    }
}

/// Rows that are not finite stay so, and leave the others alone.
#[test]
#[ignore = "needs a Hopper GPU"]
fn a_row_that_is_not_finite_is_not_lost_in_products() {
    if !multiplies_bytes() {
        return;
    }
    const N_ROWS: usize = 200;
    const ODD: usize = 77;
    let mut numbers = Numbers(63);
    for hidden in [1280, 320, 480] {
        let wide = 4 * hidden;
        let expand = Layer::new(&mut numbers, [wide, hidden], Code::Signed);
        let contract = Layer::new(&mut numbers, [hidden, wide], Code::Gelu);
        let mut x = expand.inputs(&mut numbers, N_ROWS);
        x[ODD * hidden] = f32::NAN;
        let between = expand.linear.forward_quantised(&expand.quantised(&x));
        let (_, scales) = between.read();
        for (n, scale) in scales.iter().enumerate() {
            assert_eq!(
                scale.is_nan(),
                n / wide.div_ceil(BLOCK) == ODD,
                "{hidden}, scale {n}"
            );
        }
        let y = values(contract.linear.forward(&between, Epilogue::None));
        for (n, y) in y.expect("a product").to_f32().iter().enumerate() {
            assert_eq!(y.is_nan(), n / hidden == ODD, "{hidden}, number {n}");
        }
    }
}

#[test]
#[ignore = "needs a Hopper GPU"]
fn rows_of_products_have_the_same_bits_anywhere() {
    if !multiplies_bytes() {
        return;
    }
    const N_ROWS: usize = 3000;
    const PARTS: [Range<usize>; 6] = [0..1, 77..78, 64..191, 300..600, 1..2999, 2871..3000];
    let mut numbers = Numbers(64);
    for (shape @ [n_out, n_in], code) in shapes() {
        let layer = Layer::new(&mut numbers, shape, code);
        let x = layer.inputs(&mut numbers, N_ROWS);
        let residual = numbers.vector(N_ROWS * n_out, 1.0, Dtype::Bf16);
        let forward = |rows: Range<usize>| {
            let n_rows = rows.len();
            let x = layer.quantised(&x[rows.start * n_in..rows.end * n_in]);
            let residual = &residual[rows.start * n_out..rows.end * n_out];
            let residual = on_gpu(residual, [n_rows, n_out], Dtype::Bf16);
            let y = values(layer.linear.forward(&x, Epilogue::Residual(&residual)));
            let y: Vec<f32> = y.expect("a product").to_f32();
            let (bytes, scales) = layer.linear.forward_quantised(&x).read();
            (y, bytes, scales)
        };
        let (all, all_bytes, all_scales) = forward(0..N_ROWS);
        for rows in PARTS {
            let (y, bytes, scales) = forward(rows.clone());
            let what = format!("{shape:?}, {rows:?}");
            assert!(y == all[rows.start * n_out..rows.end * n_out], "{what}");
            let bytes_there = &all_bytes[rows.start * n_out..rows.end * n_out];
            assert!(bytes == bytes_there, "{what}");
            let width = n_out.div_ceil(BLOCK);
            let scales_there = &all_scales[rows.start * width..rows.end * width];
            assert!(scales == scales_there, "{what}");
        }
    }
}

/// Every kernel for bytes on small inputs, for compute-sanitizer.
#[test]
#[ignore = "needs a Hopper GPU"]
fn every_kernel_for_bytes_runs() {
    if !multiplies_bytes() {
        return;
    }
    const N_ROWS: usize = 300;
    let mut numbers = Numbers(65);
    // With a strip of weights in shared memory, without, and with GELU whose bytes another kernel makes.
    for hidden in [1280, 320, 160] {
        let wide = 4 * hidden;
        let x = numbers.vector(N_ROWS * hidden, 1.0, Dtype::Bf16);
        let x = on_gpu(&x, [N_ROWS, hidden], Dtype::Bf16);
        let ones = on_gpu(&vec![1.0; hidden], [hidden], Dtype::F32);
        let norm = LayerNorm::new(ones.clone(), ones, 1e-5);
        let expand = Layer::new(&mut numbers, [wide, hidden], Code::Signed).linear;
        let output = Layer::new(&mut numbers, [hidden, hidden], Code::Signed).linear;
        let contract = Layer::new(&mut numbers, [hidden, wide], Code::Gelu).linear;
        let normal = norm.forward_quantised(&x);
        let bytes = quantise(&x, Code::Signed);
        let expanded = expand.forward(&bytes, Epilogue::Gelu);
        let products = [
            expand.forward(&normal, Epilogue::None),
            output.forward(&bytes, Epilogue::Residual(&x)),
            contract.forward(&expand.forward_quantised(&normal), Epilogue::Residual(&x)),
            contract.forward(&quantise(&expanded, Code::Gelu), Epilogue::None),
        ];
        for y in products {
            let y = values(y).expect("a product").to_f32();
            assert!(y.iter().all(|y| y.is_finite()), "{hidden}");
        }
    }
}
