//! What can go wrong with the files that measurements go to.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with the files that measurements go to.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The file system refuses.
    #[error("cannot write measurements to `{}`: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// The ending of the file's name says nothing about its format.
    #[error("`{}` ends neither with .csv nor with .jsonl, which would say how to write it", .0.display())]
    Format(PathBuf),
}

impl MonitorError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}
