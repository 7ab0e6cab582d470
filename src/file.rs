//! Small files that are there completely or not at all.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
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
    /// A folder or a device has that name, or the path has no name at all.
    #[error("`{}` cannot be written as a file (end the path with the name of a file)", .0.display())]
    NotAFile(PathBuf),
}

/// How much a file's contents are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are on the disk before the file has its name.
    Safely,
    /// They are soon replaced.
    Briefly,
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

/// Writes a file under a temporary name and renames it to `target`, which it replaces. Missing
/// parent folders are created.
///
/// # Errors
/// - If `target` names something that is not a file.
/// - If the file system refuses.
pub fn replace(target: &Path, contents: &[u8], keep: Keep) -> Result<(), FileError> {
    let folder = check(target)?;
    create_folder(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".runner-")
        .suffix(".partial")
        // Temporary files are private by default; the umask decides about this one.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| FileError::io("create a file in", folder, error))?;
    let mut write = || {
        file.write_all(contents)?;
        match keep {
            Keep::Safely => file.as_file().sync_all(),
            Keep::Briefly => Ok(()),
        }
    };
    write().map_err(|error| FileError::io("write", target, error))?;
    file.persist(target)
        .map_err(|error| FileError::io("publish", target, error.error))?;
    Ok(())
}

/// The folder that `target` is in, provided that `target` is a file or nothing yet.
fn check(target: &Path) -> Result<&Path, FileError> {
    if target.file_name().is_none() {
        return Err(FileError::NotAFile(target.to_owned()));
    }
    match target.metadata() {
        // Renaming over `/dev/null` would replace it.
        Ok(found) if !found.is_file() => return Err(FileError::NotAFile(target.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::io("write", target, error)),
    }
    Ok(match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    })
}

/// Creates a folder and those that it is in, as far as they are missing.
///
/// # Errors
/// If the file system refuses.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    fs::create_dir_all(folder).map_err(|error| FileError::io("create the folder", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/folder/a.csv");
        for text in ["first", "second"] {
            replace(&target, text.as_bytes(), Keep::Safely).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        let n_files = fs::read_dir(target.parent().unwrap()).unwrap().count();
        assert_eq!(n_files, 1);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let check = |target: &str, expect: &str| {
            let error = replace(&folder.path().join(target), b"", Keep::Briefly).unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        };
        check("..", "cannot be written as a file");
        check("/dev/null", "cannot be written as a file");
        check("file/a.csv", "cannot write");
    }
}
