//! What the numbers of the self-test have to be. Written by scripts/golden/self_test.py.

use crate::job::Dtype;

/// Of each sequence every eighth component of its embedding, as HF transformers computes it in f64.
#[rustfmt::skip]
pub(super) const EMBEDDINGS: [[f32; 16]; 3] = [
    [
        -0.6336837, 0.567948, -0.23002298, 0.36445564, 0.019478887, 0.20472796, 0.5750807, 0.15426794,
        -0.5007861, 0.29633743, 0.6283135, -0.79419464, 0.7568698, 0.4780884, -0.87287676, -1.0841125,
    ],
    [
        -0.6368333, 0.26196098, -0.32407472, 0.24659468, 0.4542163, 0.10776075, 0.4880129, -0.15025367,
        0.1538321, 0.59150064, 0.53076965, -0.8357206, 0.3557531, 0.8388525, -0.98098767, -0.64546967,
    ],
    [
        -0.5499679, 0.58967406, -0.22817537, -0.16727106, -0.208057, 0.25864762, 0.38511968, -0.16746189,
        0.1667579, 0.49798334, 0.7104057, -0.9265337, 0.5356206, 0.6507651, -0.99104995, -0.51022804,
    ],
];

/// How far a number may be off in each number format: so many times as far as transformers is in it, at most.
pub(super) const TOLERANCES: [(Dtype, f32); 3] = [
    (Dtype::F32, 5.6e-6),
    (Dtype::F16, 4.3e-3),
    (Dtype::Bf16, 3.6e-2),
];
