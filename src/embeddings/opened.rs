//! A file of embeddings that is opened, and its name.

use super::EmbeddingsError;
use crate::file;
use std::{fs::File, path::Path};

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
