//! A lock on a blob, which excludes all who would fetch it: `huggingface_hub` takes the same one.

use nix::libc;
use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// A lock, which ends with this. Where the file system has no locks it excludes nobody: then a file may be
/// fetched twice, and is whole all the same.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    excludes: bool,
}

impl Lock {
    /// Whether it excludes others of this machine.
    pub(super) fn excludes(&self) -> bool {
        self.excludes
    }

    fn of(file: File, excludes: bool) -> Self {
        Self {
            _file: file,
            excludes,
        }
    }

    /// Takes the lock, if nobody else has it. The file stays when the lock ends, as whoever waits has it open.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                // No file is made where a link leads.
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Ok(None),
                // Not every file system has locks.
                Err(TryLockError::Error(_)) => return Ok(Some(Self::of(file, false))),
                Ok(()) => {}
            }
            // Somebody may have removed the file meanwhile, whose lock excludes nobody any more.
            let held = file.metadata()?;
            match path.metadata() {
                Ok(found) if (found.dev(), found.ino()) == (held.dev(), held.ino()) => {
                    return Ok(Some(Self::of(file, true)));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models--a--b/abc.lock");
        let first = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(first);
        let second = Lock::take(&path).unwrap().unwrap();
        // Its file is gone, so that it excludes nobody.
        fs::remove_file(&path).unwrap();
        let third = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop((second, third));
    }
}
