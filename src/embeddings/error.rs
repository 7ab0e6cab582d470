//! What can be wrong with a file of embeddings.

use crate::{hint::Hint, text::printable_line};

/// A file of embeddings that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {message}", printable_line(.file))]
pub struct EmbeddingsError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong.
    pub message: String,
}

impl EmbeddingsError {
    pub(super) fn new(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
        }
    }
}

impl Hint for EmbeddingsError {
    fn hint(&self) -> Option<String> {
        Some("give a Parquet file that `embed` wrote".to_owned())
    }
}
