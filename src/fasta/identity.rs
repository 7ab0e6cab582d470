//! Which file an input was when the run looked at it, and whether it still is that file.

use super::error::Fault;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Which file an input was when the run looked at it, and in which state.
///
/// Each of its units is read by whoever is free, at another time and by the file's name. A file that
/// was replaced, rewritten, extended or cut meanwhile would give a mixture of two, so each reader
/// compares when it opens the file and again when it has read its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    device: u64,
    inode: u64,
    size_bytes: u64,
    /// When it was last written to: seconds and nanoseconds.
    modified: (i64, i64),
}

impl Identity {
    /// Of the file that `metadata` are of.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }

    /// Checks that `path` still names this file in this state.
    ///
    /// # Errors
    /// The fault that ends the run.
    pub fn check_path(&self, path: &Path) -> Result<(), Fault> {
        self.compare(fs::metadata(path))
    }

    /// Checks an open file, and that `path` still names it.
    pub(super) fn check(&self, file: &File, path: &Path) -> Result<(), Fault> {
        self.compare(file.metadata())?;
        self.check_path(path)
    }

    fn compare(&self, now: io::Result<Metadata>) -> Result<(), Fault> {
        let now = match now {
            Ok(metadata) => Self::of(&metadata),
            Err(error) => return Err(changed(&format!("it cannot be found any more: {error}"))),
        };
        if (now.device, now.inode) != (self.device, self.inode) {
            return Err(changed("another file has its name now"));
        }
        if now.size_bytes != self.size_bytes {
            let (before, now) = (self.size_bytes, now.size_bytes);
            return Err(changed(&format!("it had {before} bytes, now {now}")));
        }
        if now.modified != self.modified {
            return Err(changed("it was written to, or touched"));
        }
        Ok(())
    }
}

fn changed(how: &str) -> Fault {
    Fault::of_file(
        format!("changed while it was read: {how}"),
        "run again when nothing writes to it any more, or name a copy",
    )
}
