//! The file that a Parquet writer writes into.

use super::super::HashedFile;
use std::io::{self, Write};

/// A file, which can be taken back from a Parquet writer that has finished. (The writer's own way to give it
/// back makes a text of the file system's error.)
///
/// Once the file system has refused something nothing more is written, and the Parquet writer is not told:
/// it can still say then where the row groups before lie.
pub(super) struct Slot {
    file: Option<HashedFile>,
    error: Option<io::Error>,
}

impl Slot {
    pub(super) fn new(file: HashedFile) -> Self {
        Self {
            file: Some(file),
            error: None,
        }
    }

    pub(super) fn file(&self) -> io::Result<&HashedFile> {
        self.file.as_ref().ok_or_else(taken)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// The file, if all was written.
    pub(super) fn take(&mut self) -> io::Result<HashedFile> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.file.take().ok_or_else(taken),
        }
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_failed() {
            return Ok(bytes.len());
        }
        match self.file.as_mut().ok_or_else(taken)?.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.error = Some(error);
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().ok_or_else(taken)?.flush()
    }
}

fn taken() -> io::Error {
    io::Error::other("the file is complete")
}
