//! A file that knows the checksum of what was written into it.

use std::{
    fs::File,
    io::{self, Write},
};

/// A file that is written from its beginning to its end, with the checksum of all that has been written.
#[derive(Debug)]
pub(super) struct HashedFile {
    file: File,
    hasher: blake3::Hasher,
    n_bytes: u64,
}

impl HashedFile {
    /// An empty file, to be written from its beginning.
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            hasher: blake3::Hasher::new(),
            n_bytes: 0,
        }
    }

    /// Bytes written so far.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// The BLAKE3 hash of all bytes written so far, in hexadecimal.
    pub(super) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Of a full disk, less may be written than asked for.
        let n_written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n_written]);
        self.n_bytes += n_written as u64;
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_checksum_is_that_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut hashed = HashedFile::new(file.reopen().unwrap());
        for n in [0, 1, 3_000, 100_000] {
            hashed.write_all(&vec![n as u8; n]).unwrap();
            let written = fs::read(file.path()).unwrap();
            assert_eq!(hashed.n_bytes(), written.len() as u64);
            assert_eq!(hashed.hash(), blake3::hash(&written).to_hex().as_str());
        }
    }
}
