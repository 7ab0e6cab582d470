//! The values of a dataset, one after the other.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    vec,
};

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// The values of a dataset as the file has them, one after the other, of which few are in memory.
#[derive(Debug)]
pub struct Stream {
    file: File,
    /// Where the next pieces are, each of so many bytes.
    pieces: vec::IntoIter<u64>,
    piece_bytes: u64,
    /// Where the piece goes on that was begun, and its bytes that are left.
    at: (u64, u64),
    /// Bytes that are left of all values: the last piece may have more.
    n_left: u64,
    buffer: Vec<u8>,
    n_given: usize,
}

impl Stream {
    /// So many bytes of values, in pieces of a size at these addresses.
    pub(super) fn new(file: File, pieces: Vec<u64>, piece_bytes: u64, n_bytes: u64) -> Self {
        Self {
            file,
            pieces: pieces.into_iter(),
            piece_bytes,
            at: (0, 0),
            n_left: n_bytes,
            buffer: Vec::new(),
            n_given: 0,
        }
    }

    /// Reads what comes next into the buffer: nothing at the end.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.n_given = 0;
        if self.n_left == 0 {
            return Ok(());
        }
        if self.at.1 == 0 {
            let missing = || io::Error::new(io::ErrorKind::UnexpectedEof, "values are missing");
            self.at = (self.pieces.next().ok_or_else(missing)?, self.piece_bytes);
        }
        let (address, in_piece) = self.at;
        let n_bytes = in_piece.min(self.n_left).min(BUFFER_BYTES as u64);
        self.buffer.resize(n_bytes as usize, 0);
        self.file.read_exact_at(&mut self.buffer, address)?;
        self.at = (address + n_bytes, in_piece - n_bytes);
        self.n_left -= n_bytes;
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.n_given == self.buffer.len() {
            self.fill()?;
        }
        let rest = &self.buffer[self.n_given..];
        let n_bytes = rest.len().min(to.len());
        to[..n_bytes].copy_from_slice(&rest[..n_bytes]);
        self.n_given += n_bytes;
        Ok(n_bytes)
    }
}
