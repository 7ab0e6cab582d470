//! A GPU as the driver shows it.

/// A GPU that the driver shows.
#[derive(Clone, Debug)]
pub struct ShownGpu {
    /// Its ordinal, under CUDA_VISIBLE_DEVICES.
    pub ordinal: usize,
    /// Its name as the driver gives it.
    pub name: String,
    /// Its UUID as `nvidia-smi -L` writes it.
    pub uuid: String,
    /// Its compute capability, major and minor.
    pub capability: (u32, u32),
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// Whether the kernels are written for it.
    pub is_new_enough: bool,
}
