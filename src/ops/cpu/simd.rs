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

/// `erf(x)`, within 3e-7: a quotient of polynomials in x², whose coefficients are those of Eigen's
/// f32 `erf`.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    // Beyond 4, erf is 1 in f32.
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;

    let p = square.mul_add(-2.726_142_4e-10, 2.770_681_4e-8);
    let p = p.mul_add(square, -2.101_024e-6);
    let p = p.mul_add(square, -5.692_506_4e-5);
    let p = p.mul_add(square, -7.349_906_3e-4);
    let p = p.mul_add(square, -2.954_6e-3);
    let p = p.mul_add(square, -1.609_603_3e-2);

    let q = square.mul_add(-1.456_607_2e-5, -2.133_740_6e-4);
    let q = q.mul_add(square, -1.682_827e-3);
    let q = q.mul_add(square, -7.373_329_2e-3);
    let q = q.mul_add(square, -1.426_473_9e-2);

    x * p / q
}

/// The erf form of GELU, `x Φ(x)`.
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
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
        assert!(erf(f32::NAN).is_nan());
        for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!gelu(x).is_finite(), "gelu({x}) = {}", gelu(x));
        }
    }

    #[test]
    fn gelu_is_the_erf_form() {
        // Values of `torch.nn.functional.gelu` in f64.
        for (x, want) in [
            (-6.0f32, -5.919_525e-9f64),
            (-2.7, -9.361_216e-3),
            (-1.0, -0.158_655_253_9),
            (0.0, 0.0),
            (0.5, 0.345_731_230_6),
            (2.7, 2.690_638_784),
            (6.0, 5.999_999_994),
        ] {
            let got = f64::from(gelu(x));
            // `1 + erf` has an absolute error of 3e-7, which x / 2 scales.
            let tolerance = 3e-7 * (1.0 + f64::from(x.abs()));
            assert!(
                (got - want).abs() < tolerance,
                "gelu({x}) = {got}, not {want}"
            );
        }
    }
}
