//! Linear layers: a product with what follows it fused in.

use super::{
    super::Epilogue,
    Operand, algorithm,
    gelu::gelu,
    gemm::{Fused, Gemm, Operands, WORKSPACE_BYTES},
};
use crate::device::cuda::enqueue;
use burn::tensor::Tensor;

/// `x W^T + b`, then the epilogue: `[T, in]` to `[T, out]`, all in the format of `x`.
pub(in super::super) fn linear(
    x: &Tensor<2>,
    weight: &Tensor<2>,
    bias: &Tensor<1>,
    epilogue: Epilogue<'_>,
) -> Tensor<2> {
    let [n_rows, k] = x.dims();
    let [n, _] = weight.dims();
    let (x, weight, bias) = (Operand::new(x), Operand::new(weight), Operand::new(bias));
    let y = x.allocate([n_rows, n], x.dtype());
    let workspace = x.allocate_bytes(WORKSPACE_BYTES);
    let residual = match epilogue {
        Epilogue::Residual(residual) => Some(Operand::new(residual)),
        _ => None,
    };
    let gemm = Gemm {
        n,
        k,
        dtype: x.dtype(),
        fused: match epilogue {
            Epilogue::Residual(_) => Fused::BiasResidual,
            Epilogue::GeluTanh => Fused::BiasGelu,
            Epilogue::None | Epilogue::Gelu => Fused::Bias,
        },
    };
    let gpu = x.gpu;
    let algorithm = algorithm::choose(x.gpu, gemm);
    let mut reads = vec![x.handle(), weight.handle(), bias.handle()];
    reads.extend(residual.as_ref().map(Operand::handle));
    enqueue(
        x.gpu,
        &reads,
        &[workspace.handle(), y.handle()],
        move |stream, at| {
            let [x, weight, bias, .., workspace, y] = *at else {
                unreachable!("there is an address for each handle");
            };
            let operands = Operands {
                x,
                weight,
                bias,
                residual: if gemm.fused == Fused::BiasResidual {
                    at[3]
                } else {
                    y
                },
                workspace,
                y,
            };
            // SAFETY: the shapes are those of the operands, and `enqueue` keeps the addresses
            // valid.
            unsafe {
                gemm.problem(gpu, n_rows)?
                    .launch(&algorithm?, &operands, stream)
            }
        },
    );
    if matches!(epilogue, Epilogue::Gelu) {
        gelu(&y, n_rows, n);
    }
    y.tensor()
}
