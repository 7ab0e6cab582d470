//! Numbers that are the same everywhere: scripts/golden/self_test.py makes the same ones.

/// The integers of a stream: the finalizer of MurmurHash3 over consecutive numbers.
pub(super) fn integers(stream: u32) -> impl Iterator<Item = u32> {
    let start = stream << 20;
    (start..).map(|number| {
        let mut x = number;
        x ^= x >> 16;
        x = x.wrapping_mul(0x85EB_CA6B);
        x ^= x >> 13;
        x = x.wrapping_mul(0xC2B2_AE35);
        x ^ x >> 16
    })
}

/// `offset` plus numbers from `-scale / 2` to `scale / 2`. All steps are exact where `scale` is a power of two.
pub(super) fn numbers(stream: u32, offset: f32, scale: f32) -> impl Iterator<Item = f32> {
    integers(stream).map(move |number| {
        let part = (number >> 8) as f32 / (1 << 24) as f32 - 0.5;
        offset + part * scale
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_what_the_script_makes_of_them() {
        let first: Vec<u32> = integers(1).take(3).collect();
        assert_eq!(first, [4_026_191_075, 2_886_815_657, 1_477_841_285]);
        let first: Vec<f32> = numbers(1, 1.0, 0.25).take(3).collect();
        assert_eq!(first, [1.109_355_2, 1.043_034_8, 0.961_021_66]);
    }
}
