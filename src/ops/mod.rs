//! The operations that ESM-2 is made of.
//!
//! *Input*: packed activations `[T, …]` and [`Tokens`]. *Output*: the same. *Owns*: one file an
//! operation, with its plain version in burn operations, which runs on every device and is the
//! oracle of the tests; pooling, whose oracle is f64, runs on the CPU instead. `cpu/` holds the
//! versions that make good use of a CPU's vectors and cores, `cuda/` those for a GPU. *Never*: knows
//! layers, files or models.

mod arithmetic;
mod attention;
mod backend;
mod contacts;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod dtype;
mod embedding;
mod epilogue;
mod layer_norm;
mod linear;
mod pool;
mod quantised;
mod results;
mod rotary;
mod segments;
mod select;
mod stager;
mod stager_options;
mod tokens;

use crate::{
    device::{Chosen, DeviceError},
    job::{Dtype, Products},
};
use backend::Backend;
use burn::tensor::Tensor;

pub use arithmetic::arithmetic;
pub use attention::{attention, attention_plain};
pub use contacts::{ContactMaps, attention_maps};
pub use dtype::{Numbers, activations, gpu_lacks, lacking, tensor};
pub use embedding::{embedding, without_masks};
pub use epilogue::Epilogue;
pub use layer_norm::LayerNorm;
pub use linear::{Linear, feed_forward, linear_plain};
pub use pool::{pool, pool_sequence};
pub use quantised::{Code, Quantised, QuantisedLinear, QuantisedWeights, quantise};
pub use results::{Results, values};
pub use rotary::RotaryTable;
pub use segments::Segments;
pub use select::{narrowed, select, select_pieces, select_plain, select_rows, select_rows_plain};
pub use stager::Stager;
pub use stager_options::StagerOptions;
pub use tokens::Tokens;

/// Makes ready what a model with these sizes, hidden, intermediate and of its heads, needs on `chosen`, whose `products`
/// are of 8-bit numbers.
///
/// # Errors
/// If the device's kernels do not take such a model, or do not compile.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub fn prepare(
    chosen: &Chosen,
    dtype: Dtype,
    sizes: (usize, usize, usize),
    products: Products,
) -> Result<(), DeviceError> {
    #[cfg(feature = "cuda")]
    if let Some(gpu) = &chosen.gpu {
        cuda::prepare(gpu.ordinal, dtype, sizes, products)?;
    }
    Ok(())
}

/// Lets go of a tensor. On the CPU the next one on this thread may lie where it did.
pub fn recycle(tensor: Tensor<2>) {
    if Backend::of(&tensor) == Backend::Cpu {
        cpu::recycle(tensor);
    }
}

#[cfg(test)]
mod tests;
