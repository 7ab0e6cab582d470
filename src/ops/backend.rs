//! Which version of an operation computes.

use super::cpu;
use burn::tensor::Tensor;

/// Which version of an operation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    /// Kernels on an NVIDIA GPU.
    #[cfg(feature = "cuda")]
    Cuda,
    /// Vectors and cores of a CPU, over f32 in main memory.
    Cpu,
    /// burn's own operations, wherever they run.
    Plain,
}

impl Backend {
    /// The one rule by which operations choose: they compute where their operand lies.
    pub(super) fn of<const D: usize>(operand: &Tensor<D>) -> Self {
        #[cfg(feature = "cuda")]
        if super::cuda::is_cuda(operand) {
            return Self::Cuda;
        }
        if cpu::is_cpu(operand) {
            Self::Cpu
        } else {
            Self::Plain
        }
    }
}
