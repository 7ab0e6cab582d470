//! The rows of a file for scikit-bio.

use super::{
    super::{
        flat::{Ends, Flat, FlatRows, Ids},
        stored::StoredTable,
    },
    open::{OpenFile, damaged},
};
use crate::{
    hdf5::{Datatype, Object, ReadError},
    job::Form,
    sink::SinkError,
};
use std::path::Path;

/// As [`OpenStored`](super::super::stored::OpenStored).
pub(in super::super) fn open(path: &Path) -> Result<StoredTable, SinkError> {
    let file = OpenFile::open(path)?;
    let rows = rows(&file).map_err(|error| damaged(path, &error))?;
    Ok(StoredTable {
        columns: file.columns,
        has_sequences: true,
        rows: Box::new(rows),
    })
}

fn rows(file: &OpenFile) -> Result<FlatRows, ReadError> {
    let OpenFile {
        reader,
        root,
        columns,
    } = file;
    let links = reader.links(root)?;
    let dataset = |name: &str| -> Result<Object, ReadError> {
        let link = links.iter().find(|(link, _)| link == name);
        let missing = || ReadError::Damaged(format!("the dataset `{name}` is missing"));
        reader.object(link.ok_or_else(missing)?.1)
    };
    let flat = |values: &str, ends: &str, value_bytes: usize| -> Result<Flat, ReadError> {
        let ends = dataset(ends)?;
        let are_short = ends.datatype == Some(Datatype::I32);
        let ends = Ends::new(Box::new(reader.stream(&ends)?), are_short);
        let values = reader.stream(&dataset(values)?)?;
        Ok(Flat::new(Box::new(values), value_bytes, Some(ends)))
    };
    let vectors = dataset("embedding")?;
    let row_bytes = match (columns.as_slice(), vectors.shape.as_slice()) {
        ([column], [_, width])
            if let Form::Vector(said) | Form::Vectors(said) = column.form
                && said as u64 == *width =>
        {
            said * column.dtype.bytes()
        }
        _ => {
            return Err(ReadError::Damaged(
                "it holds another column than it says".to_owned(),
            ));
        }
    };
    let n_rows = dataset("idptr")?.shape.first().copied();
    Ok(FlatRows {
        n_left: n_rows.unwrap_or(0),
        ids: Ids::Flat(flat("name", "nameptr", 1)?),
        sequences: Some(flat("id", "idptr", 1)?),
        columns: vec![flat("embedding", "embedding_ptr", row_bytes)?],
    })
}
