//! What can go wrong with a file.

use crate::hint::Hint;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
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
    /// A folder, a pipe or a device has that name, or the path has no name at all.
    #[error("`{}` cannot be written as a file", .0.display())]
    NotAFile(PathBuf),
    /// The file is there already, and is not to be replaced.
    #[error("`{}` exists", .0.display())]
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

impl Hint for FileError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            // Nothing was to be written.
            Self::Io { action, error, .. }
                if action.starts_with("read")
                    && error.kind() == io::ErrorKind::PermissionDenied =>
            {
                "run it as somebody who may read that, or have its owner let you"
            }
            Self::Io { error, .. } => remedy(error.kind())?,
            Self::NotAFile(_) => "end the path with the name of a file",
            Self::Exists(_) => "choose another name, or remove it",
        };
        Some(hint.to_owned())
    }
}

/// What to do about an error of the file system.
pub fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or choose an output on another file system"
        }
        io::ErrorKind::FileTooLarge => {
            "raise the limit on the size of files, `ulimit -f`, or choose an output on another file \
             system"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose an output in a folder that you may write to"
        }
        io::ErrorKind::NotADirectory => "a folder of the path is a file",
        io::ErrorKind::InvalidFilename => "choose a shorter name",
        _ => return None,
    })
}
