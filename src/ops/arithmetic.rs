//! What the bits of results depend on, beside the program, the model and the sequence.

use super::cpu;
use crate::{device::Chosen, job::Dtype};

/// What the bits of results depend on, beside the program, the model and the sequence: where two
/// machines give the same text, they give the same bits in `dtype`.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub fn arithmetic(chosen: &Chosen, dtype: Dtype) -> String {
    #[cfg(feature = "cuda")]
    if let Some(gpu) = &chosen.gpu {
        return super::cuda::arithmetic(&gpu.name);
    }
    cpu::arithmetic(dtype)
}
