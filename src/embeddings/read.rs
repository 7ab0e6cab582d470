//! From a file of embeddings to its vectors in memory.

use super::{Embeddings, EmbeddingsError, arrow, folder, hdf5, npy, parquet};
use crate::file;
use std::{io::Read, path::Path};

/// Bytes of descriptions that are kept in memory, or as many as the vectors take. Others, which are far
/// longer than those of proteins, are looked up in the file.
const DESCRIPTION_BYTES: usize = 64 << 20;

impl Embeddings {
    /// Reads ids, descriptions and vectors of a file that `embed` wrote, or of all parts in a folder. If
    /// there are several layers, the last one is read.
    ///
    /// # Errors
    /// - A file cannot be opened, or is in no format that `embed` writes.
    /// - A column is missing or has another type.
    /// - That layer has several poolings.
    pub fn read(path: &Path) -> Result<Self, EmbeddingsError> {
        Self::read_column(path, None)
    }

    /// As [`read`](Self::read), of this column of vectors.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if there is no such column.
    pub fn read_column(path: &Path, column: Option<&str>) -> Result<Self, EmbeddingsError> {
        let mut embeddings = Self::empty(DESCRIPTION_BYTES);
        embeddings.set_column(column);
        // A file that was renamed is still what it holds.
        let source = if path.is_dir() {
            Some(folder::read(path, &mut embeddings)?)
        } else if hdf5::is_hdf5(path) {
            Some(hdf5::read(path, &mut embeddings)?)
        } else {
            let begin = begin_of(path);
            if begin.starts_with(arrow::MAGIC) {
                Some(arrow::read(path, &mut embeddings)?)
            } else if begin.starts_with(npy::MAGIC) {
                npy::read(path, &mut embeddings)?;
                None
            } else if super::safetensors::may_be(&begin) {
                super::safetensors::read(path, &mut embeddings)?;
                None
            } else {
                Some(parquet::read(path, &mut embeddings)?)
            }
        };
        if let Some(source) = source {
            embeddings.set_source(source);
        }
        Ok(embeddings)
    }
}

/// The first bytes of a file, by which its format is known. None, if it cannot be opened.
pub(super) fn begin_of(path: &Path) -> Vec<u8> {
    let mut begin = Vec::new();
    if let Ok(file) = file::open(path) {
        // What cannot be read is said by whoever reads the rest.
        let _ = file.take(16).read_to_end(&mut begin);
    }
    begin
}
