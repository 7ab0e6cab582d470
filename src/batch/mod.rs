//! Tokenising and packing: records in, batches without padding out.
//!
//! *Input*: records in input order. *Output*: [`PackedBatch`]es that depend on nothing but the
//! records, their order and the token budget. *Owns*: the alphabet, the packer. *Never*: knows a
//! device.

mod packed;
pub use packed::{PackedBatch, Row};
