//! What can be wrong with a file of embeddings.

use crate::text::printable;

/// A file of embeddings that cannot be read: what, where, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {message}{}",
    printable(.file),
    .hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default())]
pub struct EmbeddingsError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl EmbeddingsError {
    pub(super) fn new(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
            hint: Some("give a Parquet file that `embed` wrote".to_owned()),
        }
    }
}
