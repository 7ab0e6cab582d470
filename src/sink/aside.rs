//! A file that is about to be replaced, under a second name until that is done.

use super::SinkError;
use crate::file::{Existing, FileError};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What a file that is replaced has behind its name, until that is done.
const ASIDE: &str = ".previous";
/// Names that are tried for it.
const MOST_ASIDE: usize = 100;

/// A file beside the output that is replaced, under a second name. Whatever ends the program meanwhile, it is
/// not lost.
pub(super) struct Aside {
    path: PathBuf,
    /// Nothing, if there was no file.
    aside: Option<PathBuf>,
}

impl Aside {
    /// Gives what is at `path` a second name, if it is to be replaced.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn put(path: &Path, existing: Existing) -> Result<Self, SinkError> {
        let path = path.to_owned();
        if existing == Existing::Stays || !path.exists() {
            return Ok(Self { path, aside: None });
        }
        // A file that an earlier run left there when it was killed is nobody's to remove.
        let names = (1..).map(|n: u32| match n {
            1 => with_suffix(&path, ASIDE),
            n => with_suffix(&path, &format!("{ASIDE}-{n}")),
        });
        for aside in names.take(MOST_ASIDE) {
            let put = match fs::hard_link(&path, &aside) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                // Not every file system gives a file a second name.
                Err(_) => copy(&path, &aside),
                Ok(()) => Ok(()),
            };
            put.map_err(|error| SinkError::io("put aside", &path, error))?;
            return Ok(Self {
                path,
                aside: Some(aside),
            });
        }
        Err(FileError::Exists(with_suffix(&path, ASIDE)).into())
    }

    /// The output that it belonged to is gone, or it never lost its own name.
    pub(super) fn forget(self) {
        // The run has ended as it has; a file too much is no reason to say otherwise.
        let _ = self.aside.map(fs::remove_file);
    }

    /// The output that it belongs to stays.
    pub(super) fn put_back(self) {
        // The error at hand says more than a failure to clean up after it. What cannot be put back still
        // has its second name.
        let _ = match self.aside {
            Some(aside) => fs::rename(aside, self.path),
            None => fs::remove_file(self.path),
        };
    }
}

/// Copies a file to a name that nothing has.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?)?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
