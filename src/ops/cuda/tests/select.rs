//! Rows of some tokens against what `half` makes of them, bit by bit, on their whole way to main memory. They need
//! a GPU.

use super::*;
use crate::{
    batch::Values,
    job::{OutputDtype, Positions},
};
use std::time::Instant;

/// What is asked of a batch.
enum Asked {
    Some(Positions),
    Listed(Vec<usize>),
    All,
}

/// Numbers in `dtype`, with some that f16 does not hold.
fn numbers(n: usize, dtype: Dtype) -> Vec<f32> {
    let mut values = Numbers(12).vector(n, 4.0, dtype);
    let odd = [
        65_504.0,
        65_519.0,
        65_520.0,
        -1e6,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        // Subnormal in f16, or nothing at all, and halfway between two of its numbers.
        3e-6,
        1e-9,
        -0.0,
        1.0 + 1.0 / 2048.0,
        1.0 + 3.0 / 2048.0,
    ];
    for (value, odd) in values.iter_mut().step_by(7).zip(odd.into_iter().cycle()) {
        *value = round(odd, dtype);
    }
    values
}

fn bits(values: &Values) -> Vec<u32> {
    // One NaN is as good as another.
    match values {
        Values::F16(values) => {
            let bits = |value: &f16| {
                if value.is_nan() {
                    u16::MAX
                } else {
                    value.to_bits()
                }
            };
            values.iter().map(|value| u32::from(bits(value))).collect()
        }
        Values::F32(values) => {
            let bits = |value: &f32| {
                if value.is_nan() {
                    u32::MAX
                } else {
                    value.to_bits()
                }
            };
            values.iter().map(bits).collect()
        }
    }
}

#[test]
#[ignore = "needs a GPU"]
fn selected_rows_have_the_bits_that_half_gives_them() {
    for dtype in Dtype::FLOATS {
        for width in [1280, 320, 160, 60, 34, 33, 8, 1] {
            let tokens = tokens(&[3, 4, 35, 2, 200, 1000, 3, 5], dtype, 32);
            let (n_rows, n_tokens) = (n_rows(&tokens), tokens.input_ids().len());
            let values = numbers(n_rows * width, dtype);
            let x = on_gpu(&values, [n_rows, width], dtype);
            let mut tensors = Vec::new();
            let mut wanted = Vec::new();
            for output in OutputDtype::ALL {
                for asked in [
                    Asked::Some(Positions::Residues),
                    Asked::Some(Positions::Tokens),
                    Asked::Listed(vec![7, 0, n_tokens - 1, 7]),
                    Asked::Listed(Vec::new()),
                    Asked::All,
                ] {
                    let (y, rows): (_, Vec<usize>) = match asked {
                        Asked::Some(positions) => {
                            let ranges = tokens.segments().ranges();
                            let rows = ranges.flat_map(|range| match positions {
                                Positions::Residues => range.start + 1..range.end - 1,
                                _ => range,
                            });
                            (select(&x, &tokens, positions, output), rows.collect())
                        }
                        Asked::Listed(rows) => (select_rows(&x, &rows, output), rows),
                        Asked::All => (narrowed(x.clone(), output), (0..n_rows).collect()),
                    };
                    assert_eq!(y.dims(), [rows.len(), width]);
                    tensors.push(y);
                    let numbers = rows
                        .iter()
                        .flat_map(|row| &values[row * width..(row + 1) * width]);
                    wanted.push(match output {
                        OutputDtype::F32 => Values::F32(numbers.copied().collect()),
                        OutputDtype::F16 => {
                            Values::F16(numbers.map(|&value| f16::from_f32(value)).collect())
                        }
                    });
                }
            }
            // All of them at once, of different sizes and formats, as a batch brings them.
            let results = Results::start(tensors, &tokens, Instant::now());
            let (got, _) = results
                .and_then(|x| x.wait(&Default::default()))
                .expect("results");
            assert_eq!(got.len(), wanted.len());
            for (n, (got, wanted)) in got.iter().zip(&wanted).enumerate() {
                assert_eq!(got.dtype(), wanted.dtype(), "{dtype:?}, {width}, {n}");
                assert!(bits(got) == bits(wanted), "{dtype:?}, {width}, number {n}");
            }
        }
    }
}
