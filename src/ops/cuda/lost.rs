//! A kernel after which the GPU is lost, to test what becomes of a run then.

use super::{
    code::{Instance, KernelFile},
    kernel::{Grid, Kernel},
};
use crate::{
    device::{
        DeviceError,
        cuda::{Gpu, enqueue},
    },
    job::Dtype,
};

static FILE: KernelFile = KernelFile {
    kernel: "lost",
    text: include_str!("kernels/lost.cu"),
};

/// The kernel, which no model launches.
pub(super) fn instance() -> Instance {
    Instance::new(&FILE, Dtype::F32)
}

/// Enqueues the kernel behind the batches that `gpu` has. What comes after it fails.
///
/// # Errors
/// If the kernel does not compile or load.
pub(super) fn lose(gpu: &Gpu) -> Result<(), DeviceError> {
    let kernel = Kernel::get(gpu, &instance())?;
    let grid = Grid {
        blocks: (1, 1),
        threads: 1,
    };
    enqueue(gpu, &[], &[], move |compute, _| {
        // SAFETY: `lost` takes no arguments, and the stream is the one that the GPU computes on.
        unsafe { kernel.launch(compute, grid, &[]) }
    });
    gpu.flush();
    Ok(())
}
