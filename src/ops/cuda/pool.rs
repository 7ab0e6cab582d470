//! Pooling: one kernel, a block for some columns of a sequence.

use super::{
    Batch, Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
    packs,
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::{Dtype, Pooling},
};
use burn::tensor::Tensor;
use std::sync::Arc;

/// Rows that a block works on at a time.
const WARPS: usize = 8;

static FILE: KernelFile = KernelFile {
    kernel: "pool",
    text: include_str!("kernels/pool.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let all = Pooling::ALL.into_iter();
    Ok(all.map(|pooling| instance(shape.dtype, pooling)).collect())
}

/// The kernel for a pooling.
fn instance(dtype: Dtype, pooling: Pooling) -> Instance {
    Instance::new(&FILE, dtype)
        .with("WARPS", WARPS)
        .with("POOLING", pooling.name())
}

/// One f32 vector a sequence: `[rows, hidden]` to `[n, hidden]`.
pub(in super::super) fn pool(
    hidden_states: &Tensor<2>,
    batch: &Arc<Batch>,
    pooling: Pooling,
) -> Tensor<2> {
    let [_, hidden] = hidden_states.dims();
    let x = Operand::new(hidden_states);
    let n = batch.n_sequences();
    let y = x.allocate([n, hidden], Dtype::F32);
    let kernel = Kernel::get(x.gpu, &instance(x.dtype(), pooling));
    let n_packs = packs(hidden, x.dtype());
    let batch = batch.clone();
    enqueue(x.gpu, &[x.handle()], &[y.handle()], move |stream, at| {
        let grid = Grid {
            blocks: (n as u32, n_packs.div_ceil(32) as u32),
            threads: 32 * WARPS as u32,
        };
        let arguments = [
            at[0].into(),
            batch.cu_seqlens().into(),
            at[1].into(),
            int(n_packs).into(),
        ];
        // SAFETY: the arguments are those of `pool`; `enqueue` and the batch keep the addresses
        // valid.
        unsafe {
            batch.upload().begin(stream)?;
            kernel?.launch(stream, grid, &arguments)
        }
    });
    y.tensor()
}
