//! Rows of some tokens in a format that is written: one kernel, a warp a row.

use super::{
    Batch, Operand, Shape,
    code::{Instance, KernelFile},
    format::Format,
    int,
    kernel::{Grid, Kernel},
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::{Dtype, OutputDtype},
};
use burn::tensor::Tensor;
use std::sync::Arc;

const WARPS: usize = 8;

static FILE: KernelFile = KernelFile {
    kernel: "select",
    text: include_str!("kernels/select.cu"),
};

/// Which rows, in the order of the output.
enum Rows {
    /// All, or those that come first.
    First(usize),
    /// Those of the residues of a batch.
    Residues(Arc<Batch>),
    /// Those that a list names.
    Listed(Vec<u8>, usize),
}

/// The kernels that a model may launch: hidden states are in its format, and pooled vectors in f32.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let mut all = Vec::new();
    for dtype in [shape.dtype, Dtype::F32] {
        for output in [Dtype::F16, Dtype::F32] {
            all.push(instance(dtype, output, shape.hidden));
        }
    }
    Ok(all)
}

/// The kernel for rows of `width` numbers.
fn instance(dtype: Dtype, output: Dtype, width: usize) -> Instance {
    Instance::new(&FILE, dtype)
        .with("OUTPUT", Format::of(output).number)
        .with("PACK", pack(width))
}

/// How many numbers a thread moves at once: as many as divide a row, so that every access is aligned.
fn pack(width: usize) -> usize {
    let mut packs = [8, 4, 2].into_iter();
    packs.find(|&pack| width.is_multiple_of(pack)).unwrap_or(1)
}

/// The rows of all tokens of a batch: those of padding are left out.
pub(in super::super) fn tokens(x: &Tensor<2>, batch: &Batch, dtype: OutputDtype) -> Tensor<2> {
    converted(x, Rows::First(batch.n_tokens()), dtype)
}

/// The rows of all residues of a batch: of all tokens but BOS and EOS.
pub(in super::super) fn residues(
    x: &Tensor<2>,
    batch: &Arc<Batch>,
    dtype: OutputDtype,
) -> Tensor<2> {
    converted(x, Rows::Residues(batch.clone()), dtype)
}

/// The rows with these numbers.
pub(in super::super) fn listed(x: &Tensor<2>, rows: &[usize], dtype: OutputDtype) -> Tensor<2> {
    let numbers = rows.iter().flat_map(|&row| int(row).to_ne_bytes());
    converted(x, Rows::Listed(numbers.collect(), rows.len()), dtype)
}

/// All rows.
pub(in super::super) fn narrowed(x: &Tensor<2>, dtype: OutputDtype) -> Tensor<2> {
    let [n_rows, _] = x.dims();
    converted(x, Rows::First(n_rows), dtype)
}

fn converted(x: &Tensor<2>, rows: Rows, dtype: OutputDtype) -> Tensor<2> {
    let [_, width] = x.dims();
    let x = Operand::new(x);
    let n_rows = match &rows {
        Rows::First(n_rows) | Rows::Listed(_, n_rows) => *n_rows,
        Rows::Residues(batch) => batch.n_tokens() - 2 * batch.n_sequences(),
    };
    let output = match dtype {
        OutputDtype::F16 => Dtype::F16,
        OutputDtype::F32 => Dtype::F32,
    };
    let y = x.allocate_rows([n_rows, width], output);
    if n_rows == 0 {
        return y.tensor();
    }
    let kernel = Kernel::get(x.gpu, &instance(x.dtype(), output, width));
    let n_packs = width / pack(width);
    let list = match &rows {
        Rows::Listed(numbers, _) => Some(x.upload(numbers)),
        Rows::First(_) | Rows::Residues(_) => None,
    };
    let batch = match rows {
        Rows::Residues(batch) => Some(batch),
        Rows::First(_) | Rows::Listed(..) => None,
    };
    let reads: Vec<_> = std::iter::once(x.handle()).chain(&list).collect();
    enqueue(x.gpu, &reads, &[y.handle()], move |stream, at| {
        let grid = Grid {
            blocks: (n_rows.div_ceil(WARPS) as u32, 1),
            threads: 32 * WARPS as u32,
        };
        let (x, list, y) = match *at {
            [x, list, y] => (x, list, y),
            [x, y] => (x, 0, y),
            _ => unreachable!("there is an address for each handle"),
        };
        let cu_seqlens = batch.as_ref().map_or(0, |batch| batch.cu_seqlens());
        let n_sequences = batch.as_ref().map_or(0, |batch| batch.n_sequences());
        let arguments = [
            x.into(),
            cu_seqlens.into(),
            list.into(),
            y.into(),
            int(n_rows).into(),
            int(n_packs).into(),
            int(n_sequences).into(),
        ];
        // SAFETY: the arguments are those of `select`, in which a null pointer is one that is not there;
        // `enqueue` and the batch keep the addresses valid.
        unsafe {
            if let Some(batch) = &batch {
                batch.upload().begin(stream)?;
            }
            kernel?.launch(stream, grid, &arguments)
        }
    });
    y.tensor()
}
