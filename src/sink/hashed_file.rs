//! A file that knows the checksum of what was written into it.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
};

/// Bytes that are worth the work of several threads.
const MANY_BYTES: usize = 512 << 10;

/// Hashes what comes next: by several threads where it is much.
pub(super) fn hash(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    match bytes.len() >= MANY_BYTES {
        true => hasher.update_rayon(bytes),
        false => hasher.update(bytes),
    };
}

/// Hashes what comes next, as far as it is written: while it is, where it is much.
pub(super) fn hash_written(
    hasher: &mut blake3::Hasher,
    bytes: &[u8],
    write: impl FnOnce(&[u8]) -> io::Result<usize>,
) -> io::Result<usize> {
    if bytes.len() < MANY_BYTES {
        let n_written = write(bytes)?;
        hasher.update(&bytes[..n_written]);
        return Ok(n_written);
    }
    // Of a full disk, less may be written than asked for.
    let mut of_all = hasher.clone();
    let n_written = rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            of_all.update_rayon(bytes);
        });
        write(bytes)
    })?;
    match n_written == bytes.len() {
        true => *hasher = of_all,
        false => hash(hasher, &bytes[..n_written]),
    }
    Ok(n_written)
}

/// A file that is written from its beginning to its end, with the checksum of all that has been written.
#[derive(Debug)]
pub(super) struct HashedFile {
    file: File,
    hasher: blake3::Hasher,
    n_bytes: u64,
    /// Bytes that the file had before.
    n_there: u64,
}

impl HashedFile {
    /// An empty file, to be written from its beginning.
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            hasher: blake3::Hasher::new(),
            n_bytes: 0,
            n_there: 0,
        }
    }

    /// A file that is written again from its beginning and has the first `n_there` bytes already. They are
    /// not written, only hashed. What stood behind them is gone.
    pub(super) fn over(mut file: File, n_there: u64) -> io::Result<Self> {
        file.set_len(n_there)?;
        file.seek(SeekFrom::Start(n_there))?;
        Ok(Self {
            n_there,
            ..Self::new(file)
        })
    }

    /// Bytes written so far.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// The BLAKE3 hash of all bytes written so far, in hexadecimal.
    pub(super) fn hash(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    /// As [`hash`](Self::hash), of the bytes written so far and of `more`.
    pub(super) fn hash_with(&self, more: &[u8]) -> String {
        let mut hasher = self.hasher.clone();
        hasher.update(more);
        hasher.finalize().to_hex().to_string()
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = &mut self.file;
        let n_there = usize::try_from(self.n_there.saturating_sub(self.n_bytes));
        let n_written = hash_written(&mut self.hasher, bytes, |bytes| match n_there {
            Ok(0) => file.write(bytes),
            Ok(n_there) => Ok(bytes.len().min(n_there)),
            Err(_) => Ok(bytes.len()),
        })?;
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
        for n in [0, 1, 3_000, 100_000, 3 << 20] {
            hashed.write_all(&vec![n as u8; n]).unwrap();
            let written = fs::read(file.path()).unwrap();
            assert_eq!(hashed.n_bytes(), written.len() as u64);
            assert_eq!(hashed.hash(), blake3::hash(&written).to_hex().as_str());
        }
    }

    #[test]
    fn what_is_there_is_kept_and_what_is_behind_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "there and torn").unwrap();
        let reopened = File::options().write(true).open(file.path()).unwrap();
        let mut hashed = HashedFile::over(reopened, 6).unwrap();
        hashed.write_all(b"there again").unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "there again");
        assert_eq!(
            hashed.hash(),
            blake3::hash(b"there again").to_hex().as_str()
        );
    }
}
