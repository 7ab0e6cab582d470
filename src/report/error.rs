//! What can go wrong with the files of a report.

use ::parquet::errors::ParquetError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with the files of a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system refuses.
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io {
        /// What was to be done, as a verb.
        action: &'static str,
        /// The file or its folder.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// A folder or a device has that name, or the path has no name at all.
    #[error("`{}` cannot be a file of a report (end the path with the name of a file)", .0.display())]
    NotAFile(PathBuf),
    /// A file does not hold what this program writes.
    #[error(
        "`{}` is no table of a sweep: {message} (give the sweep another name or folder, or replace \
         the file with `resume: false`)",
        path.display()
    )]
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

impl ReportError {
    /// The file system refuses to do something with `path`.
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            error,
        }
    }
}
