//! Token embedding: one kernel, a warp a row.

use super::{
    Batch, Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
    packs,
    token_dropout::token_dropout,
};
use crate::device::{DeviceError, cuda::enqueue};
use burn::tensor::Tensor;
use std::sync::Arc;

const WARPS: usize = 8;

static FILE: KernelFile = KernelFile {
    kernel: "embedding",
    text: include_str!("kernels/embedding.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    Ok(vec![Instance::new(&FILE, shape.dtype)])
}

/// The rows of `table`, `[vocabulary, hidden]`, that the batch's ids name, in the table's format:
/// `[rows, hidden]`, with token dropout if the batch `drops` any. It is the first operation on a batch: the stream
/// waits for its copy here.
pub(in super::super) fn embedding(table: &Tensor<2>, batch: &Arc<Batch>, drops: bool) -> Tensor<2> {
    let [_, hidden] = table.dims();
    let table = Operand::new(table);
    let n_rows = batch.n_rows();
    let y = table.allocate([n_rows, hidden], table.dtype());
    let kernel = Kernel::get(table.gpu, &Instance::new(&FILE, table.dtype()));
    let n_packs = packs(hidden, table.dtype());
    let ids = batch.clone();
    enqueue(
        table.gpu,
        &[table.handle()],
        &[y.handle()],
        move |stream, at| {
            let grid = Grid {
                blocks: (n_rows.div_ceil(WARPS) as u32, 1),
                threads: 32 * WARPS as u32,
            };
            let (table, y) = (at[0], at[1]);
            let arguments = [
                table.into(),
                ids.input_ids().into(),
                y.into(),
                int(n_rows).into(),
                int(n_packs).into(),
            ];
            // SAFETY: the arguments are those of `embedding`; `enqueue` and the batch keep the
            // addresses valid, and the stream is of the current context.
            unsafe {
                ids.upload().begin(stream)?;
                kernel?.launch(stream, grid, &arguments)
            }
        },
    );
    if drops {
        token_dropout(&y, hidden, batch);
    }
    y.tensor()
}
