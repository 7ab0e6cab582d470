//! From a file of embeddings to its vectors in memory.

use super::{Embeddings, EmbeddingsError, parquet};
use crate::job::OutputFormat;
use std::path::Path;

/// Bytes of descriptions that are kept in memory, or as many as the vectors take. Others, which are far
/// longer than those of proteins, are looked up in the file.
const DESCRIPTION_BYTES: usize = 64 << 20;

impl Embeddings {
    /// Reads ids, descriptions and vectors of a file that `embed` wrote. If the file has several
    /// layers, the last one is read.
    ///
    /// # Errors
    /// - The file cannot be opened, or is in no format that `embed` writes.
    /// - A column is missing or has another type.
    pub fn read(path: &Path) -> Result<Self, EmbeddingsError> {
        let mut embeddings = Self::empty(DESCRIPTION_BYTES);
        let source = match OutputFormat::of(path) {
            // A file that was renamed is still what it holds.
            Ok(OutputFormat::Parquet) | Err(_) => parquet::read(path, &mut embeddings)?,
        };
        embeddings.set_source(source);
        Ok(embeddings)
    }
}
