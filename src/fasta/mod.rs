//! FASTA files: finding them, dividing them into work units, and reading their records.
//!
//! *Input*: the sources of a dataset, as a script names them. *Output*: [`Outcome`]s, one for each
//! record of the input, in order. *Owns*: globs, compression, work units, what a record is, the
//! policies on residues and lengths. *Never*: knows about processes, tokens or devices.

mod beginning;
mod compression;
mod definition;
mod input;
mod length;
mod plan;
mod residues;
mod section;
mod text;
mod unit;
mod unit_reader;

mod error;
mod record;
#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use error::{Fault, InputError, Place};
pub use input::{Input, resolve};
pub use plan::{PlanFault, Units};
pub use record::{Outcome, Record, Rejection, Tally};
pub use unit::{Extent, Unit};
pub use unit_reader::UnitReader;
