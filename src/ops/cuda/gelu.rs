//! The erf form of GELU: one kernel, a block a row.

use super::{
    Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
    packs,
};
use crate::device::{DeviceError, cuda::enqueue};

const THREADS: u32 = 256;

static FILE: KernelFile = KernelFile {
    kernel: "gelu",
    text: include_str!("kernels/gelu.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let per_pack = 16 / shape.dtype.bytes();
    // A row must end where a pack does: the next one begins there.
    if !shape.intermediate.is_multiple_of(per_pack) {
        return Err(DeviceError::Shape(format!(
            "an intermediate size of {} is not one that the GPU kernels take: it must be a multiple of \
             {per_pack}",
            shape.intermediate
        )));
    }
    Ok(vec![Instance::new(&FILE, shape.dtype)])
}

/// The erf form of GELU, in place, on `[n_rows, n]` numbers that nobody else has seen yet.
pub(super) fn gelu(x: &Operand, n_rows: usize, n: usize) {
    let dtype = x.dtype();
    let kernel = Kernel::get(x.gpu, &Instance::new(&FILE, dtype));
    let n_packs = packs(n, dtype);
    enqueue(x.gpu, &[], &[x.handle()], move |stream, at| {
        let grid = Grid {
            blocks: (n_rows as u32, 1),
            threads: THREADS,
        };
        // SAFETY: the arguments are those of `gelu`, and `enqueue` keeps the address valid.
        unsafe { kernel?.launch(stream, grid, &[at[0].into(), int(n_packs).into()]) }
    });
}
