//! Numbers that share a scale, rounded to bytes.

use super::code::LEAST_GELU;

/// Numbers of which none is greater than this are zero.
const LEAST_GREATEST: f32 = 1e-30;

/// Rounds numbers that share a scale to the bytes of [`super::Code::Signed`], which `keep` gets in their order, and
/// returns the scale. Numbers that are not finite have a scale that is not.
pub(super) fn signed(numbers: &[f32], mut keep: impl FnMut(i16)) -> f32 {
    // The greatest bits are those of NaN, else of infinity, else of the greatest number.
    let bits = numbers.iter().map(|number| number.abs().to_bits());
    let greatest = f32::from_bits(bits.max().unwrap_or(0));
    let inverse = if greatest > LEAST_GREATEST {
        127.0 / greatest
    } else {
        0.0
    };
    numbers
        .iter()
        .for_each(|&number| keep(nearest(number, inverse, 0.0)));
    greatest / 127.0
}

/// Rounds numbers that share a scale to the bytes of [`super::Code::Gelu`], which `keep` gets in their order, and
/// returns the scale. Where one is not finite, it is NaN.
pub(super) fn gelu(numbers: &[f32], mut keep: impl FnMut(i16)) -> f32 {
    let greatest = numbers.iter().fold(0f32, |greatest, &number| {
        if number > greatest || number.is_nan() {
            number
        } else {
            greatest
        }
    });
    // The byte of zero: how many steps there are below it.
    let zero = (255.0 * LEAST_GELU / (greatest + LEAST_GELU)).floor();
    let zero = if zero < 1.0 { 1.0 } else { zero };
    let factor = zero * (1.0 / LEAST_GELU);
    for &number in numbers {
        keep(nearest(number, factor, zero).clamp(0, 255));
    }
    if greatest.is_finite() {
        LEAST_GELU / zero
    } else {
        f32::NAN
    }
}

/// The whole number that is nearest to `number * factor + offset`, the even one of two.
fn nearest(number: f32, factor: f32, offset: f32) -> i16 {
    let exact = f64::from(number) * f64::from(factor) + f64::from(offset);
    exact.round_ties_even() as i16
}
