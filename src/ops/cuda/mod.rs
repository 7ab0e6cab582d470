//! The operations on an NVIDIA GPU: products with cuBLASLt, the rest with kernels of our own in
//! CUDA C++, all enqueued in order on the stream that burn computes on.
//!
//! Failures travel with the results: an operation that cannot be enqueued marks its output, and
//! whoever waits for the last result gets the message.

mod algorithm;
mod attention;
mod batch;
mod code;
mod compile;
mod contacts;
mod embedding;
mod format;
mod gelu;
mod gemm;
mod gemm_s8;
mod kernel;
mod layer_norm;
mod linear;
mod lost;
mod operand;
mod pool;
mod quantise;
mod quantised;
mod quantised_linear;
mod random;
mod select;
mod tensor_map;
#[cfg(test)]
mod tests;
mod token_dropout;
mod variant;

pub(super) use attention::attention;
pub(super) use batch::{Batch, UploadStager};
pub(super) use contacts::ContactMaps;
pub(super) use embedding::embedding;
pub(super) use layer_norm::{layer_norm, layer_norm_quantised};
pub(super) use linear::linear;
pub(super) use operand::is_cuda;
pub(super) use pool::pool;
pub(super) use quantise::quantise;
pub(super) use quantised::{QuantisedRows, QuantisedWeights};
pub(super) use quantised_linear::{quantised_expand, quantised_linear};
pub(super) use select::{listed, narrowed, residues, tokens};

use crate::{
    device::{
        DeviceError,
        cuda::{Download, Gpu},
    },
    job::{Dtype, Products},
};
use burn::tensor::Tensor;
use code::Instance;
use kernel::Kernel;
use operand::Operand;

/// What decides which kernels a model needs.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// The compute capability of the GPU.
    capability: (u32, u32),
    /// The number format of activations.
    dtype: Dtype,
    /// What is of 8-bit numbers.
    products: Products,
    hidden: usize,
    intermediate: usize,
    head_dim: usize,
}

/// The kernels of an operation that a model of a shape may launch.
type Kernels = fn(&Shape) -> Result<Vec<Instance>, DeviceError>;

/// Every operation with kernels of its own. They are made ready when a model is loaded, and the tests
/// compile them for every shape.
const OPERATIONS: [Kernels; 11] = [
    attention::kernels,
    contacts::kernels,
    embedding::kernels,
    gelu::kernels,
    gemm_s8::kernels,
    layer_norm::kernels,
    pool::kernels,
    quantise::kernels,
    random::kernels,
    select::kernels,
    token_dropout::kernels,
];

/// All kernels that a model of this shape may launch.
///
/// # Errors
/// If an operation has none for it.
fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let mut all = Vec::new();
    for kernels in OPERATIONS {
        all.extend(kernels(shape)?);
    }
    Ok(all)
}

/// Whether the kernels take a model of this shape, compiled and ready.
///
/// # Errors
/// If they do not take it, or do not compile here.
pub(super) fn prepare(
    ordinal: usize,
    dtype: Dtype,
    (hidden, intermediate, head_dim): (usize, usize, usize),
    products: Products,
) -> Result<(), DeviceError> {
    let gpu = Gpu::opened(ordinal);
    let shape = Shape {
        capability: gpu.capability(),
        dtype,
        products,
        hidden,
        intermediate,
        head_dim,
    };
    let instances = kernels(&shape)?;
    Kernel::compile(gpu, &instances)?;
    instances
        .iter()
        .try_for_each(|instance| Kernel::get(gpu, instance).map(drop))
}

/// What the bits of results depend on, for a GPU of this name.
pub(super) fn arithmetic(gpu: &str) -> String {
    let cublaslt = gemm::version();
    let (major, minor) = crate::device::cuda::compiler_version();
    format!("{gpu}, cuBLASLt {cublaslt}, NVRTC {major}.{minor}")
}

/// Ends a batch: starts copying `tensors` to main memory.
///
/// # Errors
/// If main memory cannot be pinned.
pub(super) fn download(tensors: &[Tensor<2>], batch: &Batch) -> Result<Download, DeviceError> {
    let operands: Vec<Operand> = tensors.iter().map(Operand::new).collect();
    let sources = operands
        .iter()
        .map(|operand| (operand.handle().clone(), operand.n_bytes()));
    Download::start(batch.gpu(), sources.collect(), batch.upload().clone())
}

/// Packs of 16 bytes in a row of `hidden` numbers.
fn packs(hidden: usize, dtype: Dtype) -> usize {
    hidden * dtype.bytes() / 16
}

/// A count as kernels take it.
///
/// # Panics
/// If it does not fit: token budgets and shapes of models are far smaller.
fn int(n: usize) -> i32 {
    i32::try_from(n).expect("counts of tokens and columns fit 31 bits")
}
