//! The operations that ESM-2 is made of.
//!
//! *Input*: packed activations `[T, …]` and [`Segments`]. *Output*: the same. *Owns*: one file an
//! operation, with its plain version in burn operations, which runs on every device and is the
//! oracle of the tests. `cpu/` holds the versions that make good use of a CPU's vectors and cores.
//! *Never*: knows layers, files or models.

mod attention;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod embedding;
mod layer_norm;
mod linear;
mod pool;
mod results;
mod rotary;
mod segments;
mod tokens;

use crate::device::{Chosen, DeviceError};
use burn::tensor::DType;

pub use attention::{attention, attention_plain};
pub use embedding::embedding;
pub use layer_norm::LayerNorm;
pub use linear::{Epilogue, Linear};
pub use pool::{pool, pool_plain};
pub use results::{Results, values};
pub use rotary::RotaryTable;
pub use segments::Segments;
pub use tokens::{Stager, StagerOptions, Tokens};

/// Makes ready what a model with this hidden size and dimension of heads needs on `chosen`.
///
/// # Errors
/// If the device's kernels do not take such a model, or do not compile.
#[cfg_attr(not(feature = "cuda"), expect(unused_variables))]
pub fn prepare(
    chosen: &Chosen,
    dtype: DType,
    hidden: usize,
    head_dim: usize,
) -> Result<(), DeviceError> {
    #[cfg(feature = "cuda")]
    if let Some(gpu) = &chosen.gpu {
        cuda::prepare(gpu.ordinal, dtype, hidden, head_dim)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
