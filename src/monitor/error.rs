//! What can go wrong with the files that measurements go to.

use crate::{file::FileError, hint::Hint};
use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with the files that measurements go to.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ending of the file's name says nothing about its format.
    #[error("`{}` ends neither with .csv nor with .jsonl, which would say how to write it", .0.display())]
    Format(PathBuf),
}

impl MonitorError {
    /// The file system refuses to write measurements to `path`.
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        FileError::io("write measurements to", path, error).into()
    }
}

impl Hint for MonitorError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(error) => error.hint(),
            Self::Format(path) => Some(format!(
                "name it `{}`",
                path.with_extension("csv").display()
            )),
        }
    }
}
