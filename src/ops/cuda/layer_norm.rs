//! Layer normalisation: one kernel, a warp a row.

use super::{
    Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Grid, Kernel},
    packs,
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::Dtype,
};
use burn::tensor::Tensor;

const WARPS: usize = 4;
/// Packs that a lane holds: each number has a kernel of its own, which keeps them in registers.
const PACKS_PER_LANE: [usize; 7] = [1, 2, 3, 5, 10, 20, 40];

static FILE: KernelFile = KernelFile {
    kernel: "layer_norm",
    text: include_str!("kernels/layer_norm.cu"),
};

/// The kernels that a model may launch.
///
/// # Errors
/// If there is none for rows of its hidden size.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    Ok(vec![instance(shape.dtype, shape.hidden)?])
}

/// Layer normalisation of `x`, `[T, hidden]`, in the format of `x`. `weight` and `bias`,
/// `[hidden]`, are in f32.
pub(in super::super) fn layer_norm(
    x: &Tensor<2>,
    weight: &Tensor<1>,
    bias: &Tensor<1>,
    epsilon: f32,
) -> Tensor<2> {
    let shape @ [n_rows, hidden] = x.dims();
    let (x, weight, bias) = (Operand::new(x), Operand::new(weight), Operand::new(bias));
    let y = x.allocate(shape, x.dtype());
    let kernel = instance(x.dtype(), hidden).and_then(|instance| Kernel::get(x.gpu, &instance));
    let n_packs = packs(hidden, x.dtype());
    enqueue(
        x.gpu,
        &[x.handle(), weight.handle(), bias.handle()],
        &[y.handle()],
        move |stream, at| {
            let grid = Grid {
                blocks: (n_rows.div_ceil(WARPS) as u32, 1),
                threads: 32 * WARPS as u32,
            };
            let arguments = [
                at[0].into(),
                at[1].into(),
                at[2].into(),
                at[3].into(),
                int(n_rows).into(),
                int(n_packs).into(),
                epsilon.into(),
            ];
            // SAFETY: the arguments are those of `layer_norm`, and `enqueue` keeps the addresses
            // valid.
            unsafe { kernel?.launch(stream, grid, &arguments) }
        },
    );
    y.tensor()
}

/// The kernel for rows of `hidden` numbers.
fn instance(dtype: Dtype, hidden: usize) -> Result<Instance, DeviceError> {
    let lane_packs = packs(hidden, dtype).div_ceil(32);
    let compiled = PACKS_PER_LANE.into_iter().find(|&n| n >= lane_packs);
    let per_pack = 16 / dtype.bytes();
    let Some(compiled) = compiled.filter(|_| hidden.is_multiple_of(per_pack)) else {
        return Err(DeviceError::Shape(format!(
            "a hidden size of {hidden} is not one that the GPU kernels take: it must be a multiple \
             of {per_pack}, up to {}",
            PACKS_PER_LANE[PACKS_PER_LANE.len() - 1] * 32 * per_pack
        )));
    };
    Ok(Instance::new(&FILE, dtype).with("PACKS", compiled))
}
