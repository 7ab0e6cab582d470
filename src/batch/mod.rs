//! Tokenising and packing: records in, batches without padding out.
//!
//! *Input*: records in input order. *Output*: [`PackedBatch`]es that depend on nothing but the
//! records, their order and the token budget. *Owns*: the packer. *Never*: knows a
//! device, reads a file, changes a sequence.

mod error;
mod packed;
mod packer;
mod padder;
mod rows;
mod spare_values;
mod values;

pub use error::PackError;
pub use packed::{PackedBatch, Row};
pub use packer::{
    MAX_CARRIES, MAX_REORDER_BUDGETS, MAX_REORDER_WINDOWS, Packer, WINDOW_TEXT_BYTES,
};
pub use padder::Padder;
pub use rows::{Ragged, Rows, RowsError};
pub use spare_values::SpareValues;
pub use values::{Flaw, Values};
