//! Products of 8-bit numbers: rows of bytes with scales, weights as bytes, and what multiplies them.
//!
//! *Input*: activations and weights in a format of models. *Output*: the same. *Owns*: which numbers bytes stand for
//! ([`Code`]), how numbers are rounded to them, and the plain version of all that is done with them, which
//! is the oracle of the kernels. *Never*: decides which products of a model are of bytes.

mod code;
mod linear;
mod rounding;
mod rows;
#[cfg(test)]
mod tests;
mod weights;

#[cfg(feature = "cuda")]
pub(super) use code::BLOCK;
pub use code::Code;
pub use linear::QuantisedLinear;
pub use rows::{Quantised, quantise};
pub use weights::QuantisedWeights;
