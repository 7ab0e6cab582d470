//! Numbers that look random, to measure products with.

use super::{
    Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
};
use crate::{
    device::{
        DeviceError,
        cuda::{DeviceMemory, Gpu},
    },
    job::Dtype,
};
use cudarc::driver::sys::CUstream;

static FILE: KernelFile = KernelFile {
    kernel: "random",
    text: include_str!("kernels/random.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    Ok(vec![Instance::new(&FILE, shape.dtype)])
}

/// New memory with `n` numbers from `-scale` to `scale`, as soon as `stream` has written them.
///
/// # Safety
/// `stream` must be a live stream of `gpu`, and must have run the kernel before the memory is dropped.
pub(super) unsafe fn filled(
    gpu: &'static Gpu,
    stream: CUstream,
    dtype: Dtype,
    n: usize,
    scale: f32,
) -> Result<DeviceMemory, DeviceError> {
    // The kernel counts in 31 bits. Whoever measures with so many does without, as where memory is too small.
    if i32::try_from(n).is_err() {
        return Err(DeviceError::OutOfMemory {
            reason: format!("{n} numbers are too many to measure with"),
        });
    }
    let kernel = Kernel::get(gpu, &Instance::new(&FILE, dtype))?;
    let memory = DeviceMemory::new(gpu, n * dtype.bytes())?;
    let grid = Grid {
        blocks: (1024, 1),
        threads: 256,
    };
    let arguments = [memory.address().into(), int(n).into(), scale.into()];
    // SAFETY: `random` takes an address, a count and a scale; the memory holds n numbers, and the
    // caller answers for the stream.
    unsafe { kernel.launch(stream, grid, &arguments) }?;
    Ok(memory)
}
