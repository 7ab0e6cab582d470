//! FASTA files: finding them, dividing them into work units, and reading their records.
//!
//! *Input*: the sources of a dataset, as a script names them. *Output*: [`Outcome`]s, one for each
//! record of the input, in order, and [`Remark`]s on what is odd about them. *Owns*: globs,
//! compression, work units, what a record is, the policies on residues and lengths. *Never*: knows about processes, tokens or devices.

mod beginning;
mod blocks;
mod character;
mod compression;
mod content;
mod definition;
mod guess;
mod identity;
mod input;
mod length;
mod members;
mod oddity;
mod pattern;
mod piece;
mod plan;
mod portion;
mod position;
mod remarks;
mod residues;
mod sample;
mod share;
mod source;
mod state;
mod unit;
mod unit_lines;
mod unit_reader;
mod unit_text;

mod error;
mod record;
#[cfg(test)]
mod tests;

pub use character::{Character, Characters};
pub use compression::Compression;
pub use content::hash_contents;
pub use error::{Fault, FaultPlace, InputError};
pub use identity::Identity;
pub use input::{Input, InputKind, resolve, unopenable};
pub use oddity::{Oddity, Remark};
pub use piece::Piece;
pub use plan::{PlanFault, Units};
pub use position::{Offset, Position};
pub use record::{Outcome, Record, Rejection};
pub use remarks::Remarks;
pub use sample::Sample;
pub use share::Share;
pub use source::could_match;
pub use state::inputs_state;
pub use unit::{Extent, Unit};
pub use unit_reader::UnitReader;
