//! Numbers that wait in a file without a name until their place in the output is known.

use crate::sink::HashedFile;
use std::{
    fs::File,
    io::{self, BufWriter, Read, Seek, Write},
    path::Path,
};

/// Bytes that are written at a time.
pub(super) const BUFFER_BYTES: usize = 1 << 20;

/// Numbers that wait in a file without a name.
pub(super) struct Spool {
    file: BufWriter<File>,
    n_bytes: u64,
}

impl Spool {
    /// An empty one in this folder, or, without one, where temporary files are.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn create(folder: Option<&Path>) -> io::Result<Self> {
        let file = match folder {
            Some(folder) => tempfile::tempfile_in(folder)?,
            None => tempfile::tempfile()?,
        };
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            n_bytes: 0,
        })
    }

    /// Takes more bytes.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.n_bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Bytes so far.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Puts all bytes behind what is in a file.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn append_to(self, to: &mut BufWriter<HashedFile>) -> io::Result<()> {
        let mut file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let n_read = file.read(&mut buffer)?;
            if n_read == 0 {
                return Ok(());
            }
            to.write_all(&buffer[..n_read])?;
        }
    }
}
