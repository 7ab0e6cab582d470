//! Token dropout: one kernel, a block a sequence.

use super::{
    Batch, Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
    packs,
};
use crate::{
    alphabet::MASK,
    device::{DeviceError, cuda::enqueue},
    job::Dtype,
};
use std::sync::Arc;

const THREADS: u32 = 256;

static FILE: KernelFile = KernelFile {
    kernel: "token_dropout",
    text: include_str!("kernels/token_dropout.cu"),
};

/// The kernels that a model may launch.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    Ok(vec![instance(shape.dtype)])
}

/// The kernel for numbers in `dtype`.
fn instance(dtype: Dtype) -> Instance {
    let mask = usize::try_from(MASK).expect("ids are not negative");
    Instance::new(&FILE, dtype).with("MASK", mask)
}

/// Token dropout, in place, on the embeddings of a batch, `[rows, hidden]`, that nobody else has seen yet.
pub(super) fn token_dropout(x: &Operand, hidden: usize, batch: &Arc<Batch>) {
    let kernel = Kernel::get(x.gpu, &instance(x.dtype()));
    let n_packs = packs(hidden, x.dtype());
    let batch = batch.clone();
    enqueue(x.gpu, &[], &[x.handle()], move |stream, at| {
        let grid = Grid {
            blocks: (batch.n_sequences() as u32, 1),
            threads: THREADS,
        };
        let arguments = [
            at[0].into(),
            batch.input_ids().into(),
            batch.cu_seqlens().into(),
            int(n_packs).into(),
        ];
        // SAFETY: the arguments are those of `token_dropout`; `enqueue` and the batch keep the
        // addresses valid, and the stream is of the current context.
        unsafe {
            batch.upload().begin(stream)?;
            kernel?.launch(stream, grid, &arguments)
        }
    });
}
