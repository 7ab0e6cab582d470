//! What GPUs can do at most, by name.

use crate::job::Dtype;

/// Dense peaks in TFLOP/s by NVIDIA's datasheets: a part of the name that the driver gives, bf16 and
/// f16 on tensor cores with f32 sums, f32 without them. Products of 8 bits are twice as many as those of 16. More special names stand first.
const PEAKS: [(&str, f64, f64); 23] = [
    ("GB200", 2500.0, 80.0),
    ("B300", 2500.0, 80.0),
    ("B200", 2250.0, 80.0),
    ("GH200", 989.4, 66.9),
    ("H200 NVL", 835.5, 60.3),
    ("H200", 989.4, 66.9),
    ("H100 PCIe", 756.5, 51.2),
    ("H100 NVL", 835.5, 60.3),
    ("H100", 989.4, 66.9),
    ("H20", 148.0, 44.0),
    ("A100", 312.0, 19.5),
    ("A800", 312.0, 19.5),
    ("A40", 149.7, 37.4),
    ("A30", 165.0, 10.3),
    ("A10", 125.0, 31.2),
    ("RTX 6000 Ada", 364.2, 91.1),
    ("L40S", 362.1, 91.6),
    ("L40", 181.1, 90.5),
    ("L4", 121.0, 30.3),
    ("RTX A6000", 154.8, 38.7),
    ("RTX 5090", 209.5, 104.8),
    ("RTX 4090", 165.2, 82.6),
    ("RTX 3090", 71.2, 35.6),
];

/// FLOP per second that the GPU with this name can do at most in `dtype`, where that is known.
pub fn peak_flops(name: &str, dtype: Dtype) -> Option<f64> {
    let (_, half, single) = PEAKS.iter().find(|(part, ..)| {
        // "L4" is not the beginning of "L40", nor "A10" that of "A100".
        name.match_indices(part).any(|(start, _)| {
            let next = name[start + part.len()..].chars().next();
            !next.is_some_and(|next| next.is_ascii_alphanumeric())
        })
    })?;
    let tflops = match dtype {
        Dtype::F16 | Dtype::Bf16 => *half,
        Dtype::F32 => *single,
        Dtype::Int8 => 2.0 * half,
    };
    Some(tflops * 1e12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_told_apart() {
        let check = |name: &str, expect: Option<f64>| {
            assert_eq!(
                peak_flops(name, Dtype::Bf16),
                expect.map(|t| t * 1e12),
                "{name}"
            );
        };
        check("NVIDIA H100 80GB HBM3", Some(989.4));
        check("NVIDIA H100 PCIe", Some(756.5));
        check("NVIDIA H200", Some(989.4));
        check("NVIDIA H20", Some(148.0));
        check("NVIDIA A100-SXM4-80GB", Some(312.0));
        check("NVIDIA A10", Some(125.0));
        check("NVIDIA A10G", None);
        check("NVIDIA L4", Some(121.0));
        check("NVIDIA L40S", Some(362.1));
        check("NVIDIA GeForce RTX 4090", Some(165.2));
        check("Some GPU", None);
        let single = peak_flops("NVIDIA H100 80GB HBM3", Dtype::F32);
        assert_eq!(single, Some(66.9 * 1e12));
        let int8 = peak_flops("NVIDIA H100 80GB HBM3", Dtype::Int8);
        assert_eq!(int8, Some(1978.8 * 1e12));
    }
}
