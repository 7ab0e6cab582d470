//! HDF5: a dataset a sequence at the root, as programs of the field exchange embeddings; or one matrix, as scikit-bio
//! has it.
//!
//! `docs/hdf5.md` says what is where. Vectors go straight into the file; of a sequence only its name and where its
//! vectors are stay in memory.

mod attributes;
mod check;
mod embed;
mod embed_rows;
mod keyed;
mod keyed_rows;
mod keys;
mod layout;
mod open;

#[cfg(test)]
mod tests;

pub(super) use check::{check, read_metadata};
pub(super) use embed::{begin as begin_embed, fits as fits_embed};
pub(super) use embed_rows::open as open_embed;
pub(super) use keyed::{begin as begin_keyed, fits as fits_keyed};
pub(super) use keyed_rows::open as open_keyed;

use crate::sink::SinkError;
use arrow_array::{RecordBatch, StringArray, cast::AsArray as _};
use arrow_schema::Schema;

/// The column with the residues, as letters.
const SEQUENCE: &str = "sequence";

/// Checks that the rows will have their sequences, which `purpose` needs.
fn check_sequences(schema: &Schema, purpose: &str) -> Result<(), SinkError> {
    match schema.column_with_name(SEQUENCE) {
        Some(_) => Ok(()),
        None => Err(SinkError::Unfit {
            message: format!("{purpose}, and there is no column `{SEQUENCE}`"),
            hint: "give `sequences: true` to `embed`".to_owned(),
        }),
    }
}

/// The sequences of these rows.
fn sequences(rows: &RecordBatch) -> Result<&StringArray, SinkError> {
    let sequences = rows.column_by_name(SEQUENCE);
    let sequences = sequences.and_then(|column| column.as_string_opt::<i32>());
    sequences.ok_or_else(|| SinkError::Unfit {
        message: format!("the column `{SEQUENCE}` does not hold texts"),
        hint: "export a file that `embed` wrote".to_owned(),
    })
}
