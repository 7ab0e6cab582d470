//! The operations on an NVIDIA GPU: products with cuBLASLt, the rest with kernels of our own in
//! CUDA C++, all enqueued in order on the stream that burn computes on.
//!
//! Failures travel with the results: an operation that cannot be enqueued marks its output, and
//! whoever waits for the last result gets the message.

mod algorithm;
mod attention;
mod batch;
mod compile;
mod embedding;
mod gemm;
mod kernel;
mod layer_norm;
mod linear;
mod pool;
#[cfg(test)]
mod tests;

pub(super) use attention::attention;
pub(super) use batch::{Batch, Stager};
pub(super) use embedding::embedding;
pub(super) use layer_norm::layer_norm;
pub(super) use linear::linear;
pub(super) use pool::pool;

use crate::device::{
    DeviceError,
    cuda::{Download, Gpu},
};
use burn::tensor::{DType, Tensor};
use burn_cubecl::{Cube, CubeDevice, kernel::into_contiguous, tensor::CubeTensor};
use cubecl::server::Handle;

/// Whether `tensor` is on a GPU.
pub(super) fn is_cuda<const D: usize>(tensor: &Tensor<D>) -> bool {
    tensor
        .clone()
        .try_into_primitive::<Cube>()
        .is_ok_and(|cube| matches!(cube.device, CubeDevice::Cuda(_)))
}

/// Whether the kernels take a model of this shape, compiled and ready.
///
/// # Errors
/// If they do not take it, or do not compile here.
pub(super) fn prepare(
    ordinal: usize,
    dtype: DType,
    hidden: usize,
    head_dim: usize,
) -> Result<(), DeviceError> {
    let gpu = Gpu::opened(ordinal);
    layer_norm::kernel(gpu, dtype, hidden)?;
    attention::Variant::choose(gpu, dtype, head_dim)?.kernels(gpu)?;
    embedding::kernel(gpu, dtype)?;
    Ok(())
}

/// Every file of kernels.
#[cfg(test)]
fn sources() -> [compile::Source; 8] {
    use compile::source;
    let [sm80, sm90, exact] = attention::SOURCES;
    [
        sm80,
        sm90,
        exact,
        source!("embedding.cu"),
        source!("gelu.cu"),
        source!("layer_norm.cu"),
        source!("pool.cu"),
        source!("random.cu"),
    ]
}

/// A tensor on a GPU, as our kernels see it: rows follow each other without padding.
struct Operand {
    gpu: &'static Gpu,
    cube: CubeTensor,
}

impl Operand {
    /// # Panics
    /// If the tensor is not on a GPU.
    fn new<const D: usize>(tensor: &Tensor<D>) -> Self {
        let cube = tensor
            .clone()
            .try_into_primitive::<Cube>()
            .expect("the caller asked `is_cuda`");
        let CubeDevice::Cuda(device) = &cube.device else {
            unreachable!("the caller asked `is_cuda`");
        };
        Self {
            gpu: Gpu::opened(device.index),
            cube: into_contiguous(cube),
        }
    }

    /// A new tensor beside this one, not initialised.
    fn allocate<const D: usize>(&self, shape: [usize; D], dtype: DType) -> Self {
        let n_bytes = shape.iter().product::<usize>() * dtype.size();
        let client = self.cube.client.clone();
        let handle = client.empty(n_bytes);
        let device = self.cube.device.clone();
        Self {
            gpu: self.gpu,
            cube: CubeTensor::new_contiguous(client, device, shape.into(), handle, dtype),
        }
    }

    fn handle(&self) -> &Handle {
        &self.cube.handle
    }

    fn dtype(&self) -> DType {
        self.cube.dtype
    }

    fn tensor<const D: usize>(self) -> Tensor<D> {
        Tensor::from_primitive::<Cube>(self.cube)
    }
}

/// Ends a batch: starts copying `tensors`, which are f32, to main memory.
///
/// # Errors
/// If main memory cannot be pinned.
pub(super) fn download(tensors: &[Tensor<2>], batch: &Batch) -> Result<Download, DeviceError> {
    let operands: Vec<Operand> = tensors.iter().map(Operand::new).collect();
    let sources = operands.iter().map(|operand| {
        let n_bytes = operand.cube.meta.num_elements() * operand.dtype().size();
        (operand.handle().clone(), n_bytes)
    });
    Download::start(batch.gpu(), sources.collect(), batch.upload().clone())
}

/// A number format, as the names of kernels have it.
fn format_name(dtype: DType) -> &'static str {
    match dtype {
        DType::BF16 => "bf16",
        DType::F16 => "f16",
        _ => "f32",
    }
}

/// Packs of 16 bytes in a row of `hidden` numbers.
fn packs(hidden: usize, dtype: DType) -> usize {
    hidden * dtype.size() / 16
}

/// A count as kernels take it.
///
/// # Panics
/// If it does not fit: token budgets and shapes of models are far smaller.
fn int(n: usize) -> i32 {
    i32::try_from(n).expect("counts of tokens and columns fit 31 bits")
}
