//! What can go wrong with the files of a report.

use crate::{file::FileError, hint::Hint};
use ::parquet::errors::ParquetError;
use std::path::PathBuf;

/// What can go wrong with the files of a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold what this program writes.
    #[error("`{}` is no table of a sweep: {message}", path.display())]
    NotATable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The Parquet writer refuses.
    #[error("cannot write `{}` as Parquet: {error}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the Parquet writer says.
        error: ParquetError,
    },
}

impl Hint for ReportError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::NotATable { .. } => Some(
                "give the sweep another name or folder, or begin the table anew with `resume: false`"
                    .to_owned(),
            ),
            Self::Parquet { .. } => None,
        }
    }
}
