//! A file of embeddings that is opened, and its name.

use super::EmbeddingsError;
use crate::file::{self, guarded};
use parquet::{basic::Compression, file::metadata::ParquetMetaData};
use std::{fs::File, path::Path};

/// Reads something of the file of that name, in which there may be anything.
///
/// # Errors
/// As `read`, and if its bytes make no sense to whoever decodes them.
pub(super) fn decoded<T>(
    name: &str,
    read: impl FnOnce() -> Result<T, EmbeddingsError>,
) -> Result<T, EmbeddingsError> {
    let broken = |message| EmbeddingsError::damaged(name, format!("is broken: {message}"));
    guarded(read).map_err(broken).flatten()
}

/// Checks that the columns of a Parquet file are compressed in a way that is read.
///
/// # Errors
/// If they are not.
pub(super) fn check_compression(
    name: &str,
    metadata: &ParquetMetaData,
) -> Result<(), EmbeddingsError> {
    let groups = metadata.row_groups().iter();
    let mut used = groups
        .flat_map(|group| group.columns())
        .map(|column| column.compression());
    let is_read =
        |used: &Compression| matches!(used, Compression::UNCOMPRESSED | Compression::ZSTD(_));
    match used.find(|used| !is_read(used)) {
        Some(other) => {
            let other = other.to_string();
            let other = other.split('(').next().unwrap_or_default();
            Err(EmbeddingsError::compressed(name, other))
        }
        None => Ok(()),
    }
}

/// Opens a file, and gives its name, as errors have it.
///
/// # Errors
/// If it cannot be opened.
pub(super) fn open(path: &Path) -> Result<(File, String), EmbeddingsError> {
    let name = path.display().to_string();
    match file::open(path) {
        Ok(file) => Ok((file, name)),
        Err(error) => Err(EmbeddingsError::unopened(&name, &error)),
    }
}
