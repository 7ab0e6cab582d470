//! Layer normalisation: one kernel for each form of what is written, a warp a row.

use super::{
    super::quantised::Code,
    Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Argument, Grid, Kernel},
    packs,
    quantised::QuantisedRows,
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::Dtype,
};
use burn::tensor::Tensor;

const WARPS: usize = 4;
/// Packs that a lane holds: each number has a kernel of its own, which keeps them in registers.
const PACKS_PER_LANE: [usize; 7] = [1, 2, 3, 5, 10, 20, 40];

static FULL: KernelFile = KernelFile {
    kernel: "layer_norm",
    text: include_str!("kernels/layer_norm.cu"),
};

static QUANTISED: KernelFile = KernelFile {
    kernel: "layer_norm_quantised",
    text: include_str!("kernels/layer_norm_quantised.cu"),
};

/// The kernels that a model may launch.
///
/// # Errors
/// If there is none for rows of its hidden size.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let mut files = vec![&FULL];
    if shape.products.qkv || shape.products.expand {
        files.push(&QUANTISED);
    }
    let files = files.into_iter();
    files
        .map(|file| instance(file, shape.dtype, shape.hidden))
        .collect()
}

/// Layer normalisation of `x`, `[T, hidden]`, in the format of `x`. `weight` and `bias`,
/// `[hidden]`, are in f32.
pub(in super::super) fn layer_norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    epsilon: f32,
) -> Tensor<2> {
    let shape = x.dims();
    let x = Operand::new(x);
    let y = x.allocate(shape, x.dtype());
    launch(&FULL, shape, &x, [weight, bias], epsilon, &[&y]);
    y.tensor()
}

/// The same as bytes in [`Code::Signed`].
pub(in super::super) fn layer_norm_quantised(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    epsilon: f32,
) -> QuantisedRows {
    let shape = x.dims();
    let x = Operand::new(x);
    let y = QuantisedRows::beside(&x, shape, Code::Signed);
    let written = [&y.bytes, &y.scales];
    launch(&QUANTISED, shape, &x, [weight, bias], epsilon, &written);
    y
}

/// Enqueues the kernel of `file`. `parameters` are weight and bias.
fn launch(
    file: &'static KernelFile,
    [n_rows, hidden]: [usize; 2],
    x: &Operand,
    parameters: [&Tensor<1>; 2],
    epsilon: f32,
    written: &[&Operand],
) {
    let kernel =
        instance(file, x.dtype(), hidden).and_then(|instance| Kernel::get(x.gpu, &instance));
    let n_packs = packs(hidden, x.dtype());
    let [weight, bias] = parameters.map(Operand::new);
    let written: Vec<_> = written.iter().map(|operand| operand.handle()).collect();
    enqueue(
        x.gpu,
        &[x.handle(), weight.handle(), bias.handle()],
        &written,
        move |stream, at| {
            let grid = Grid {
                blocks: (n_rows.div_ceil(WARPS) as u32, 1),
                threads: 32 * WARPS as u32,
            };
            let mut arguments: Vec<Argument> = at.iter().map(|&address| address.into()).collect();
            let sizes = [int(n_rows), int(n_packs)].map(Argument::from);
            arguments.extend(sizes.into_iter().chain([epsilon.into()]));
            // SAFETY: the arguments are those of the kernel: what it reads, what it writes, sizes and epsilon. `enqueue`
            // keeps the addresses valid.
            unsafe { kernel?.launch(stream, grid, &arguments) }
        },
    );
}

/// The kernel of `file` for rows of `hidden` numbers.
fn instance(
    file: &'static KernelFile,
    dtype: Dtype,
    hidden: usize,
) -> Result<Instance, DeviceError> {
    Ok(Instance::new(file, dtype).with("PACKS", packs_per_lane(dtype, hidden)?))
}

/// Packs of a row of `hidden` numbers that a lane holds, in a kernel that keeps rows in registers.
///
/// # Errors
/// If there is no such kernel.
pub(super) fn packs_per_lane(dtype: Dtype, hidden: usize) -> Result<usize, DeviceError> {
    let lane_packs = packs(hidden, dtype).div_ceil(32);
    let compiled = PACKS_PER_LANE.into_iter().find(|&n| n >= lane_packs);
    let per_pack = 16 / dtype.bytes();
    compiled
        .filter(|_| hidden.is_multiple_of(per_pack))
        .ok_or_else(|| {
            DeviceError::Shape(format!(
                "a hidden size of {hidden} is not one that the GPU kernels take: it must be a multiple \
                 of {per_pack}, up to {}",
                PACKS_PER_LANE[PACKS_PER_LANE.len() - 1] * 32 * per_pack
            ))
        })
}
