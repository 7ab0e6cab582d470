//! The file that a Parquet writer writes into.

use super::super::HashedFile;
use std::io::{self, Write};

/// Bytes that are hashed and written at a time. Parquet writers bring them in small pieces.
const BUFFER_BYTES: usize = 1 << 20;

/// A file, which can be taken back from a Parquet writer that has finished. (The writer's own way to give it
/// back makes a text of the file system's error.)
///
/// Once the file system has refused something nothing more is written, and the Parquet writer is not told:
/// it can still say then where the row groups before lie.
pub(super) struct Slot {
    file: Option<HashedFile>,
    /// What is written next.
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl Slot {
    pub(super) fn new(file: HashedFile) -> Self {
        Self {
            file: Some(file),
            buffer: Vec::new(),
            error: None,
        }
    }

    /// The file, with what was written before the last flush.
    pub(super) fn file(&self) -> io::Result<&HashedFile> {
        self.file.as_ref().ok_or_else(taken)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    /// The file, if all was written.
    pub(super) fn take(&mut self) -> io::Result<HashedFile> {
        self.empty_buffer()?;
        match self.error.take() {
            Some(error) => Err(error),
            None => self.file.take().ok_or_else(taken),
        }
    }

    fn empty_buffer(&mut self) -> io::Result<()> {
        let file = self.file.as_mut().ok_or_else(taken)?;
        if self.error.is_none() {
            self.error = file.write_all(&self.buffer).err();
        }
        self.buffer.clear();
        Ok(())
    }
}

impl Write for Slot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.has_failed() {
            return Ok(bytes.len());
        }
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.empty_buffer()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
        } else if !self.has_failed() {
            let file = self.file.as_mut().ok_or_else(taken)?;
            self.error = file.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.empty_buffer()?;
        self.file.as_mut().ok_or_else(taken)?.flush()
    }
}

fn taken() -> io::Error {
    io::Error::other("the file is complete")
}
