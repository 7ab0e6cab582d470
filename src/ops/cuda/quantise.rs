//! Rows of numbers as bytes: two kernels, a warp for all numbers that share a scale.

use super::{
    super::quantised::{BLOCK, Code},
    Operand, Shape,
    code::{Instance, KernelFile},
    gemm_s8::writes_bytes,
    int,
    kernel::{Grid, Kernel},
    layer_norm::packs_per_lane,
    packs,
    quantised::QuantisedRows,
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::{Dtype, Products},
};
use burn::tensor::Tensor;

const WARPS: usize = 4;

static SIGNED: KernelFile = KernelFile {
    kernel: "quantise",
    text: include_str!("kernels/quantise.cu"),
};

static GELU: KernelFile = KernelFile {
    kernel: "quantise_gelu",
    text: include_str!("kernels/quantise_gelu.cu"),
};

/// The kernels that a model may launch.
///
/// # Errors
/// If there is none for rows of its hidden size.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let Products {
        output,
        expand,
        contract,
        ..
    } = shape.products;
    // Layer norms write bytes themselves, and so does a product in front of GELU.
    let is_fused = expand && writes_bytes(shape.intermediate);
    let rows = [
        (output, Code::Signed, shape.hidden),
        (contract && !is_fused, Code::Gelu, shape.intermediate),
    ];
    let rows = rows.into_iter().filter(|&(is_launched, ..)| is_launched);
    rows.map(|(_, code, width)| instance(code, shape.dtype, width))
        .collect()
}

/// The rows of `x`, `[T, width]`, rounded to bytes.
pub(in super::super) fn quantise(x: &Tensor<2>, code: Code) -> QuantisedRows {
    let shape @ [n_rows, width] = x.dims();
    let x = Operand::new(x);
    let y = QuantisedRows::beside(&x, shape, code);
    let kernel = instance(code, x.dtype(), width).and_then(|it| Kernel::get(x.gpu, &it));
    let n_packs = packs(width, x.dtype());
    let n_scales = code.n_scales(width);
    enqueue(
        x.gpu,
        &[x.handle()],
        &[y.bytes.handle(), y.scales.handle()],
        move |stream, at| {
            let grid = Grid {
                blocks: ((n_rows * n_scales).div_ceil(WARPS) as u32, 1),
                threads: 32 * WARPS as u32,
            };
            let mut arguments = vec![
                at[0].into(),
                at[1].into(),
                at[2].into(),
                int(n_rows).into(),
                int(n_packs).into(),
            ];
            if code == Code::Gelu {
                arguments.push(int(n_scales).into());
            }
            // SAFETY: the arguments are those of the kernel for `code`, and `enqueue` keeps the addresses valid.
            unsafe { kernel?.launch(stream, grid, &arguments) }
        },
    );
    y
}

/// The kernel for rows of `width` numbers.
fn instance(code: Code, dtype: Dtype, width: usize) -> Result<Instance, DeviceError> {
    Ok(match code {
        Code::Signed => Instance::new(&SIGNED, dtype).with("PACKS", packs_per_lane(dtype, width)?),
        Code::Gelu => Instance::new(&GELU, dtype).with("BLOCK", BLOCK),
    })
}
