//! An HDF5 file of ours that is read.

use super::EmbeddingsError;
use crate::hdf5::{COLUMNS, Object, ReadError, Reader};
use serde::Deserialize;
use std::fs::File;

/// A file that stays open.
#[derive(Debug)]
pub(super) struct Hdf5File {
    reader: Reader,
    /// As it was named, for errors.
    pub(super) name: String,
}

/// What a file says of one of its columns.
#[derive(Deserialize)]
struct Column {
    name: String,
}

impl Hdf5File {
    /// A file of that name. Nothing, if it is none of ours.
    pub(super) fn open(file: File, name: &str) -> Result<Option<Self>, EmbeddingsError> {
        let reader = Reader::open(file).map_err(|error| broken(name, &error))?;
        Ok(reader.map(|reader| Self {
            reader,
            name: name.to_owned(),
        }))
    }

    /// What is read of the file.
    pub(super) fn of<T>(
        &self,
        read: impl Fn(&Reader) -> Result<T, ReadError>,
    ) -> Result<T, EmbeddingsError> {
        read(&self.reader).map_err(|error| broken(&self.name, &error))
    }

    /// What is said of an object.
    pub(super) fn text(
        &self,
        object: &Object,
        name: &str,
    ) -> Result<Option<String>, EmbeddingsError> {
        self.of(|reader| reader.text(object, name))
    }

    /// What a group holds, in the order in which it was written.
    pub(super) fn links(&self, group: &Object) -> Result<Vec<(String, u64)>, EmbeddingsError> {
        let mut links = self.of(|reader| reader.links(group))?;
        links.sort_unstable_by_key(|(_, address)| *address);
        Ok(links)
    }

    /// The columns that the file says it has, in their order. Nothing, if it does not say.
    pub(super) fn columns(&self, root: &Object) -> Result<Option<Vec<String>>, EmbeddingsError> {
        let said = self.text(root, COLUMNS)?;
        let columns = said.and_then(|said| serde_json::from_str::<Vec<Column>>(&said).ok());
        let names = |columns: Vec<Column>| columns.into_iter().map(|column| column.name).collect();
        Ok(columns.map(names))
    }
}

fn broken(name: &str, error: &ReadError) -> EmbeddingsError {
    EmbeddingsError::damaged(name, error.to_string())
}
