//! Functions of f32 that the compiler turns into vector code.
//!
//! They have no branches and are inlined into loops that run inside `pulp::Arch::dispatch`, which
//! compiles each loop once per instruction set and picks one at run time. It takes structs rather
//! than closures: only a function can be made to inline always, and what is not inlined is compiled
//! for the oldest processors.

/// `exp(x)` for `x <= 0`, to 2 ulp; values under −87 give `exp(-87)`, which is 1.6e-38, and NaN gives
/// NaN.
///
/// The method is Cody and Waite's: `x = n ln 2 + r`, a polynomial in `r`, and `n` added to the
/// exponent. The polynomial is that of Cephes' `expf`.
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    // Not `max`, which would take -87 for NaN. This is one instruction, too.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));

    let p = r.mul_add(1.987_569_1e-4, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let exp_r = p.mul_add(r * r, r) + 1.0;

    let power_of_two = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    exp_r * power_of_two
}

/// The erf form of GELU, `x Φ(x)`, within 7e-8 and half an ulp of x.
///
/// `1 + erf` would lose all digits where x is negative, and add the same small error for every token.
/// So it is `max(x, 0) − |x| Φ(−|x|)`, and `Φ(−u)` is `exp(−u²/2)` times a polynomial in `1 / (1 + 0.28 u)`,
/// a weighted minimax fit of our own, within 4e-9 of the product.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let size = x.abs();
    // Beyond 12 the tail is nothing. Not `min`, which would take 12 for NaN.
    let u = if size > 12.0 { 12.0 } else { size };
    let t = 1.0 / u.mul_add(0.28, 1.0);
    let p = t.mul_add(-0.107_547_85, 0.396_962_55);
    let p = p.mul_add(t, -0.248_475_4);
    let p = p.mul_add(t, 0.278_149_6);
    let p = p.mul_add(t, 0.063_803_99);
    let p = p.mul_add(t, 0.117_107_09);
    let tail = p * t * exp_of_negative(u * u * -0.5);
    let positive = if x < 0.0 { 0.0 } else { x };
    size.mul_add(-tail, positive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_two_ulp() {
        let mut x = -86.9f32;
        while x <= 0.0 {
            let want = f64::from(x).exp();
            let error = (f64::from(exp_of_negative(x)) - want).abs() / want;
            assert!(
                error < 2.0 * f64::from(f32::EPSILON),
                "exp({x}): relative error {error:e}"
            );
            x += 0.000_97;
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!(exp_of_negative(f32::NEG_INFINITY) < 2e-38);
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        assert!(exp_of_negative(f32::NAN).is_nan());
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!gelu(x).is_finite(), "gelu({x}) = {}", gelu(x));
        }
    }

    #[test]
    fn gelu_is_the_erf_form() {
        // Values of `torch.nn.functional.gelu` in f64.
        for (x, want) in [
            (-30.0f32, 0.0f64),
            (-6.0, -5.919_525_9e-9),
            (-2.7, -9.360_828_1e-3),
            (-1.0, -0.158_655_253_9),
            (0.0, 0.0),
            (0.5, 0.345_731_230_6),
            (2.7, 2.690_639_219_6),
            (6.0, 5.999_999_994),
        ] {
            let got = f64::from(gelu(x));
            let tolerance = 7e-8 + f64::from(x.abs() * f32::EPSILON / 2.0);
            assert!(
                (got - want).abs() < tolerance,
                "gelu({x}) = {got}, not {want}"
            );
        }
    }
}
