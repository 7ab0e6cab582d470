//! Pooling: one kernel, a block for some columns of a sequence.

use super::{
    Batch, Operand,
    compile::source,
    format_name, int,
    kernel::{Grid, Kernel},
    packs,
};
use crate::{device::cuda::enqueue, job::Pooling};
use burn::tensor::{DType, Tensor};
use std::sync::Arc;

/// Rows that a block works on at a time, as the kernel is compiled for.
const WARPS: u32 = 8;

/// One f32 vector a sequence: `[rows, hidden]` to `[n, hidden]`.
pub(in super::super) fn pool(
    hidden_states: &Tensor<2>,
    batch: &Arc<Batch>,
    pooling: Pooling,
) -> Tensor<2> {
    let [_, hidden] = hidden_states.dims();
    let x = Operand::new(hidden_states);
    let n = batch.n_sequences();
    let y = x.allocate([n, hidden], DType::F32);
    let name = format!("pool_{}_{}", format_name(x.dtype()), pooling.name());
    let kernel = Kernel::get(x.gpu, source!("pool.cu"), &name, 0);
    let n_packs = packs(hidden, x.dtype());
    let batch = batch.clone();
    enqueue(x.gpu, &[x.handle()], &[y.handle()], move |stream, at| {
        let grid = Grid {
            blocks: (n as u32, n_packs.div_ceil(32) as u32),
            threads: 32 * WARPS,
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
            kernel?.launch(stream, grid, 0, &arguments)
        }
    });
    y.tensor()
}
