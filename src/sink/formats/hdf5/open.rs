//! A file of HDF5 of ours, opened so that its rows can be read.

use super::layout;
use crate::{
    file,
    hdf5::{COLUMNS, Object, ReadError, Reader},
    sink::{
        SinkError,
        formats::{WRITTEN_AGAIN, stored::StoredColumn},
    },
};
use std::path::Path;

/// A file that is open.
pub(super) struct OpenFile {
    pub(super) reader: Reader,
    pub(super) root: Object,
    pub(super) columns: Vec<StoredColumn>,
}

impl OpenFile {
    /// Opens a file.
    ///
    /// # Errors
    /// - If it is none of ours, or does not say which columns it has.
    /// - If the file system refuses.
    pub(super) fn open(path: &Path) -> Result<Self, SinkError> {
        let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
        let found = || {
            let Some(reader) = Reader::open(file)? else {
                return Ok(None);
            };
            let root = reader.root()?;
            let said = reader.text(&root, COLUMNS)?;
            Ok(said.map(|said| (reader, root, layout::columns(&said))))
        };
        match found().map_err(|error| damaged(path, &error))? {
            Some((reader, root, Some(columns))) => Ok(Self {
                reader,
                root,
                columns,
            }),
            _ => Err(SinkError::Damaged {
                path: path.to_owned(),
                message: "does not say which columns it has, as those of older versions".to_owned(),
                hint: WRITTEN_AGAIN,
            }),
        }
    }
}

/// What is wrong with a file.
pub(super) fn damaged(path: &Path, error: &ReadError) -> SinkError {
    SinkError::Damaged {
        path: path.to_owned(),
        message: error.to_string(),
        hint: WRITTEN_AGAIN,
    }
}
