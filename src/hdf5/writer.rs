//! A file that is written from its beginning to its end, with the checksum of all of it.

use super::{
    put::ALIGNMENT,
    superblock::{self, Superblock},
};
use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    ops::Range,
};

/// Bytes that are hashed and written at a time.
const BUFFER_BYTES: usize = 4 << 20;

/// What is written of a checksum before it is known.
pub(super) const UNKNOWN: [u8; 64] = [b'0'; 64];

/// A file that is written from its beginning to its end.
pub struct Writer {
    file: File,
    /// What is written next.
    buffer: Vec<u8>,
    /// Over all bytes behind the superblock that were written.
    hasher: blake3::Hasher,
    position: u64,
}

impl Writer {
    /// Begins an empty file.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn new(mut file: File) -> io::Result<Self> {
        // It is known at the end.
        file.write_all(&[0; superblock::BYTES])?;
        Ok(Self {
            file,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            hasher: blake3::Hasher::new(),
            position: superblock::BYTES as u64,
        })
    }

    /// Goes to an address at which something may begin, and returns it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn align(&mut self) -> io::Result<u64> {
        let n_bytes = self.position.next_multiple_of(ALIGNMENT) - self.position;
        self.put(&[0; ALIGNMENT as usize][..n_bytes as usize])?;
        Ok(self.position)
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.empty_buffer()?;
        }
        if bytes.len() < BUFFER_BYTES {
            self.buffer.extend_from_slice(bytes);
            return Ok(());
        }
        write(&mut self.file, &mut self.hasher, bytes)
    }

    fn empty_buffer(&mut self) -> io::Result<()> {
        let written = write(&mut self.file, &mut self.hasher, &self.buffer);
        self.buffer.clear();
        written
    }

    /// Appends the last bytes, with the checksum of the file at a place of theirs where [`UNKNOWN`] stands, and
    /// completes the file. The checksum is that of the file with `UNKNOWN` in its place, the superblock last.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn seal(
        mut self,
        mut tail: Vec<u8>,
        checksum: Range<usize>,
        superblock: &Superblock,
    ) -> io::Result<()> {
        self.empty_buffer()?;
        let superblock = superblock.encode();
        self.hasher.update(&tail).update(&superblock);
        let digits = self.hasher.finalize().to_hex();
        tail[checksum].copy_from_slice(digits.as_bytes());
        self.file.write_all(&tail)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&superblock)?;
        self.file.flush()
    }
}

/// Writes bytes, and hashes them meanwhile.
fn write(file: &mut File, hasher: &mut blake3::Hasher, bytes: &[u8]) -> io::Result<()> {
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            hasher.update_rayon(bytes);
        });
        file.write_all(bytes)
    })
}
