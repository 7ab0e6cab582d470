//! The operations that ESM-2 is made of.
//!
//! *Input*: packed activations `[T, …]` and [`Segments`]. *Output*: the same. *Owns*: one file an
//! operation, with its plain version in burn operations, which runs on every device and is the
//! oracle of the tests. `cpu/` holds the versions that make good use of a CPU's vectors and cores.
//! *Never*: knows layers, files or models.

mod attention;
mod cpu;
mod embedding;
mod layer_norm;
mod linear;
mod pool;
mod rotary;
mod segments;

pub use attention::{attention, attention_plain};
pub use embedding::embedding;
pub use layer_norm::LayerNorm;
pub use linear::{Epilogue, Linear};
pub use pool::{pool, pool_plain};
pub use rotary::RotaryTable;
pub use segments::Segments;

#[cfg(test)]
mod tests;
