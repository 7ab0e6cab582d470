//! Number formats as CUDA and its libraries know them.

use crate::job::Dtype;
use cudarc::cublaslt::sys::cudaDataType_t;

/// A number format as CUDA knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format {
    /// The type of its numbers in CUDA C++.
    pub(super) number: &'static str,
    /// cuBLASLt's name of it.
    pub(super) cublas: cudaDataType_t,
    /// Whether there are kernels of attention in which tensor cores multiply such numbers; else it is
    /// computed in f32.
    pub(super) has_fast_attention: bool,
}

impl Format {
    /// What CUDA calls `dtype`. The kernels convert its numbers in `kernels/common.cuh`.
    pub(super) fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self {
                number: "float",
                cublas: cudaDataType_t::CUDA_R_32F,
                has_fast_attention: false,
            },
            Dtype::F16 => Self {
                number: "__half",
                cublas: cudaDataType_t::CUDA_R_16F,
                has_fast_attention: true,
            },
            Dtype::Bf16 => Self {
                number: "__nv_bfloat16",
                cublas: cudaDataType_t::CUDA_R_16BF,
                has_fast_attention: true,
            },
            Dtype::Int8 => unreachable!("bytes are kept with their scales"),
        }
    }
}
