//! Where a file is to be written: a file or nothing, through links, never a pipe or a device.

use super::{
    FileError,
    destination::{behind_links, destination},
};
use nix::{errno::Errno, fcntl::OFlag};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is written.
    Stays,
    /// It is replaced, as a whole and when its successor is complete.
    IsReplaced,
}

impl Existing {
    /// It stays, unless it may be overwritten.
    pub fn unless(overwrite: bool) -> Self {
        match overwrite {
            true => Self::IsReplaced,
            false => Self::Stays,
        }
    }
}

/// Opens a file for reading. It never waits, as opening a named pipe would, for a writer that may never
/// come.
///
/// # Errors
/// If `path` names something that is not a file, or the file system refuses.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a file"))
    }
}

/// Checks that a file may be written as `target`.
///
/// # Errors
/// - If there is a file of that name, and it is to stay.
/// - If `target` names something that is not a file: a folder, a pipe, a device.
/// - If the file system refuses.
pub fn check_target(target: &Path, existing: Existing) -> Result<(), FileError> {
    if target.file_name().is_none() {
        return Err(FileError::NotAFile(target.to_owned()));
    }
    match target.metadata() {
        // Renaming over `/dev/null` would replace it.
        Ok(found) if !found.is_file() => Err(FileError::NotAFile(target.to_owned())),
        Ok(_) if existing == Existing::Stays => Err(FileError::Exists(target.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::io("write", target, error)),
    }
}

/// Opens `target` for writing from its beginning, and makes the folders that it is in. It never waits:
/// opening a named pipe would, for a reader that may never come.
///
/// # Errors
/// As [`check_target`].
pub fn create(target: &Path) -> Result<File, FileError> {
    check_target(target, Existing::IsReplaced)?;
    create_folder(folder_of(&behind_links(target)?))?;
    let io = |error| FileError::io("write", target, error);
    let opened = File::options()
        .write(true)
        .create(true)
        // What is no file, although it was one just now, must be left as it is.
        .truncate(false)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(target);
    let file = opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        // A pipe that nobody reads.
        Some(Errno::ENXIO) => FileError::NotAFile(target.to_owned()),
        _ => io(error),
    })?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(FileError::NotAFile(target.to_owned()));
    }
    file.set_len(0).map_err(io)?;
    Ok(file)
}

/// Creates a folder and those that it is in, as far as they are missing, also where a link leads to
/// nothing yet.
///
/// # Errors
/// If the file system refuses.
pub fn create_folder(folder: &Path) -> Result<(), FileError> {
    fs::create_dir_all(destination(folder))
        .map_err(|error| FileError::io("create the folder", folder, error))
}

/// Has the name of a file that was made on the disk, too. Some file systems cannot sync a folder, which is
/// no reason to report a failure.
pub fn sync_folder(of: &Path) {
    let _ = File::open(folder_of(of)).and_then(|folder| folder.sync_all());
}

/// The folder that a file is in.
pub(super) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{sys::stat::Mode, unistd::mkfifo};
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_opened_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old"), "some text").unwrap();
        mkfifo(&at("pipe"), Mode::S_IRWXU).unwrap();
        symlink("pipe", at("link")).unwrap();
        symlink("nowhere/new", at("dangling")).unwrap();
        symlink("later/a", at("way")).unwrap();
        for name in ["old", "new/folder/a", "dangling", "way/b/c"] {
            create(&at(name)).unwrap();
            assert_eq!(fs::read_to_string(at(name)).unwrap(), "");
        }
        assert!(at("nowhere/new").exists() && at("later/a/b/c").exists());
        symlink("round/about", at("round")).unwrap();
        assert!(create_folder(&at("round/a")).is_err());
        for name in ["pipe", "link", "nowhere", "/dev/null"] {
            assert!(open(&at(name)).is_err(), "{name}");
        }
        open(&at("old")).unwrap();
        for name in ["pipe", "link", "nowhere", "/dev/null", ".."] {
            let error = create(&at(name)).unwrap_err();
            assert!(matches!(error, FileError::NotAFile(_)), "{name}: {error}");
        }
    }
}
