//! Numbers that share a scale, rounded to bytes.

use super::code::LEAST_GELU;

/// Numbers of which none is greater than this are zero.
const LEAST_GREATEST: f32 = 1e-30;

/// The scale of numbers that share one, and these rounded to the bytes of [`super::Code::Signed`]. Numbers that are not
/// finite have a scale that is not.
pub(super) fn signed(numbers: &[f32]) -> (f32, impl Iterator<Item = i16>) {
    // The greatest bits are those of NaN, else of infinity, else of the greatest number.
    let bits = numbers.iter().map(|number| number.abs().to_bits());
    let greatest = f32::from_bits(bits.max().unwrap_or(0));
    let inverse = if greatest > LEAST_GREATEST {
        127.0 / greatest
    } else {
        0.0
    };
    let bytes = numbers.iter();
    let bytes = bytes.map(move |&number| nearest(number, inverse, 0.0));
    (greatest / 127.0, bytes)
}

/// The scale of numbers that share one, and these rounded to the bytes of [`super::Code::Gelu`]. Where one is not
/// finite, the scale is NaN.
pub(super) fn gelu(numbers: &[f32]) -> (f32, impl Iterator<Item = i16>) {
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
    let bytes = numbers.iter();
    let bytes = bytes.map(move |&number| nearest(number, factor, zero).clamp(0, 255));
    let scale = if greatest.is_finite() {
        LEAST_GELU / zero
    } else {
        f32::NAN
    };
    (scale, bytes)
}

/// The whole number that is nearest to `number * factor + offset`, the even one of two.
fn nearest(number: f32, factor: f32, offset: f32) -> i16 {
    let exact = f64::from(number) * f64::from(factor) + f64::from(offset);
    exact.round_ties_even() as i16
}
