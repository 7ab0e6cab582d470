//! What can go wrong with a file.

use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refuses.
    #[error("cannot {action} `{}`: {error}{}", path.display(), hint(error.kind()))]
    Io {
        /// What was to be done, as a verb.
        action: &'static str,
        /// The file or its folder.
        path: PathBuf,
        /// What the file system says.
        error: io::Error,
    },
    /// A folder, a pipe or a device has that name, or the path has no name at all.
    #[error("`{}` cannot be written as a file (end the path with the name of a file)", .0.display())]
    NotAFile(PathBuf),
    /// The file is there already, and is not to be replaced.
    #[error("`{}` exists (choose another name, or remove it)", .0.display())]
    Exists(PathBuf),
}

impl FileError {
    /// The file system refuses to do something with `path`.
    pub fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            error,
        }
    }
}

/// What to do about an error of the file system, ready to be appended to it.
pub fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (free some space, or choose an output on another file system)"
        }
        io::ErrorKind::FileTooLarge => {
            " (raise the limit on the size of files, `ulimit -f`, or choose an output on another \
             file system)"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (choose an output in a folder that you may write to)"
        }
        io::ErrorKind::NotADirectory => " (a folder of the path is a file)",
        io::ErrorKind::InvalidFilename => " (choose a shorter name)",
        _ => "",
    }
}
