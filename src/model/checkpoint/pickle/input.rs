//! The bytes of a pickle, taken one after the other and no more than there may be.

use super::super::Failure;
use std::io::{self, Read};

/// Bytes of the pickles of a file. Those of the largest published model have 0.2 MB.
pub(in super::super) const MOST_BYTES: u64 = 16 << 20;

/// What is read from, and how far.
pub(in super::super) struct Input<R> {
    reader: R,
    n_read: u64,
}

impl<R: Read> Input<R> {
    pub(in super::super) fn new(reader: R) -> Self {
        Self { reader, n_read: 0 }
    }

    /// Bytes that were taken.
    pub(in super::super) fn n_read(&self) -> u64 {
        self.n_read
    }

    /// So many bytes of which the number is known.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut bytes = [0; N];
        self.count(N as u64)?;
        self.reader
            .read_exact(&mut bytes)
            .map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Failure> {
        Ok(self.array::<1>()?[0])
    }

    /// So many bytes as the pickle says.
    pub(super) fn bytes(&mut self, n: u64) -> Result<Vec<u8>, Failure> {
        self.count(n)?;
        let mut bytes = Vec::new();
        let n_read = (&mut self.reader)
            .take(n)
            .read_to_end(&mut bytes)
            .map_err(|error| self.failed(error))?;
        if (n_read as u64) < n {
            return Err(self.failed(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }

    /// A line, without its end.
    pub(super) fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                byte => line.push(byte),
            }
        }
    }

    /// The failure that the pickle is broken at this place.
    pub(super) fn broken(&self, what: &str) -> Failure {
        format!("its pickle is broken at byte {}: {what}", self.n_read).into()
    }

    fn count(&mut self, n: u64) -> Result<(), Failure> {
        self.n_read = self.n_read.saturating_add(n);
        if self.n_read > MOST_BYTES {
            return Err(format!("its pickle has more than {MOST_BYTES} bytes").into());
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.broken("it ends before it is complete"),
            _ => Failure::Io(error),
        }
    }
}
