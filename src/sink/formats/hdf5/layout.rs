//! Which columns a file of HDF5 has: it says so itself, as neither names nor shapes do.

use super::super::{
    column::{Number, VectorColumn},
    stored::StoredColumn,
};
use crate::job::{Form, OutputDtype};
use serde::{Deserialize, Serialize};

/// A column, as a file speaks of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    dtype: String,
    /// The shape of what a sequence has: `null` stands for as many as it has residues.
    shape: Vec<Option<usize>>,
}

/// What a file with these columns says.
pub(super) fn said_of(columns: &[&VectorColumn]) -> String {
    let entries = columns.iter().map(|column| Entry {
        name: column.name.clone(),
        dtype: dtype(column.number).name().to_owned(),
        shape: match (column.width, column.is_many) {
            (Some(width), false) => vec![Some(width)],
            (Some(width), true) => vec![None, Some(width)],
            (None, _) => vec![None, None],
        },
    });
    serde_json::to_string(&entries.collect::<Vec<_>>()).unwrap_or_default()
}

fn dtype(number: Number) -> OutputDtype {
    match number {
        Number::F16 => OutputDtype::F16,
        Number::F32 => OutputDtype::F32,
    }
}

/// The columns of which a file says this. Nothing, if no file of ours would say so.
pub(super) fn columns(said: &str) -> Option<Vec<StoredColumn>> {
    let entries: Vec<Entry> = serde_json::from_str(said).ok()?;
    let columns = entries.into_iter().map(|entry| {
        Some(StoredColumn {
            dtype: OutputDtype::from_name(&entry.dtype)?,
            form: match entry.shape.as_slice() {
                [Some(width)] => Form::Vector(*width),
                [None, Some(width)] => Form::Vectors(*width),
                [None, None] => Form::Square,
                _ => return None,
            },
            name: entry.name,
        })
    });
    columns.collect()
}
