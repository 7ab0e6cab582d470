//! FASTA inputs.
mod error;
mod record;
pub use error::InputError;
pub use record::{Outcome, Record, Rejection};

/// An input file found on disk, or standard input.
#[derive(Clone, Debug)]
pub struct Input {}

/// Finds the files behind the sources of a dataset (paths, globs, `-`), in order.
pub fn resolve(_sources: &[String]) -> Result<Vec<Input>, InputError> {
    todo!()
}
