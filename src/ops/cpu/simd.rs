//! Functions of f32 that the compiler turns into vector code, or that take registers.
//!
//! They have no branches and are inlined into loops that run inside `pulp::Arch::dispatch`, which
//! compiles each loop once per instruction set and picks one at run time. It takes structs rather
//! than closures: only a function can be made to inline always, and what is not inlined is compiled
//! for the oldest processors.

use pulp::{Scalar, Simd};

/// `exp(x)` for `x <= 0`, to 2 ulp; values under −87 give `exp(-87)`, which is 1.6e-38, and NaN gives
/// NaN.
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    let [exp] = exps_of_negatives(Scalar, [x]);
    exp
}

/// [`exp_of_negative`] of the numbers in some registers.
///
/// The method is Cody and Waite's: `x = n ln 2 + r`, a polynomial in `r`, and `n` added to the
/// exponent. The polynomial is that of Cephes' `expf`. Each step waits for the one before, so all registers go
/// through it before the next.
#[inline(always)]
pub(super) fn exps_of_negatives<S: Simd, const N: usize>(
    simd: S,
    mut x: [S::f32s; N],
) -> [S::f32s; N] {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const HIGHEST: f32 = 1.987_569_1e-4;
    const OTHERS: [f32; 5] = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    const MANTISSA_BITS: u32 = 23;
    const EXPONENT_OF_ONE: u32 = 0x3f80_0000;

    let least = simd.splat_f32s(-87.0);
    for x in &mut x {
        // Not the larger of both, which would be −87 for NaN.
        *x = simd.select_f32s(simd.less_than_f32s(*x, least), least, *x);
    }
    let mut shifted = x;
    let (log2_e, round) = (
        simd.splat_f32s(std::f32::consts::LOG2_E),
        simd.splat_f32s(ROUND),
    );
    for shifted in &mut shifted {
        *shifted = simd.mul_add_f32s(*shifted, log2_e, round);
    }
    let mut n = shifted;
    for n in &mut n {
        *n = simd.sub_f32s(*n, round);
    }
    let mut r = x;
    for part in [LN_2_HIGH, LN_2_LOW] {
        let part = simd.splat_f32s(-part);
        for (r, &n) in r.iter_mut().zip(&n) {
            *r = simd.mul_add_f32s(n, part, *r);
        }
    }
    let mut p = [simd.splat_f32s(HIGHEST); N];
    for coefficient in OTHERS {
        let coefficient = simd.splat_f32s(coefficient);
        for (p, &r) in p.iter_mut().zip(&r) {
            *p = simd.mul_add_f32s(*p, r, coefficient);
        }
    }
    let one = simd.splat_f32s(1.0);
    for (p, &r) in p.iter_mut().zip(&r) {
        *p = simd.mul_add_f32s(*p, simd.mul_f32s(r, r), r);
        *p = simd.add_f32s(*p, one);
    }
    let (mantissa_bits, exponent_of_one) = (
        simd.splat_u32s(MANTISSA_BITS),
        simd.splat_u32s(EXPONENT_OF_ONE),
    );
    for (p, &shifted) in p.iter_mut().zip(&shifted) {
        let n = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), mantissa_bits);
        let power_of_two = simd.transmute_f32s_u32s(simd.add_u32s(n, exponent_of_one));
        *p = simd.mul_f32s(*p, power_of_two);
    }
    p
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
    use pulp::{Arch, WithSimd};

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

    /// Compares what registers give with what single numbers do.
    struct Same;

    impl WithSimd for Same {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            let mut x = -90.0f32;
            while x <= 0.0 {
                let all = exps_of_negatives(simd, [simd.splat_f32s(x); 3]);
                let all: &[f32] = pulp::bytemuck::cast_slice(&all);
                let one = exp_of_negative(x);
                assert!(
                    all.iter().all(|all| all.to_bits() == one.to_bits()),
                    "exp({x}): {all:?}, not {one}"
                );
                x += 0.37;
            }
            let all = exps_of_negatives(simd, [simd.splat_f32s(f32::NAN)]);
            let all: &[f32] = pulp::bytemuck::cast_slice(&all);
            assert!(all.iter().all(|all| all.is_nan()), "{all:?}");
        }
    }

    #[test]
    fn registers_give_the_bits_of_single_numbers() {
        for arch in [Arch::new(), Arch::Scalar] {
            arch.dispatch(Same);
        }
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
