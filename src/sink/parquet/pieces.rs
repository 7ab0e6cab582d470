//! Bytes that follow each other in a file, and not in memory: they go there from where they lie.

use ::parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};
use arrow_buffer::Buffer;
use bytes::Bytes;
use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes that follow each other in a file, and not in memory.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: Vec<Buffer>,
    n_bytes: u64,
}

/// Pieces on their way into a file, and where in it they belong: whoever writes the file finds them here, and a writer of
/// Parquet, which would copy them twice, is given [other bytes](Elsewhere) in their place.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<VecDeque<(u64, Pieces)>>>);

/// So many bytes that nobody looks at, in place of pieces that were handed over.
pub(super) struct Elsewhere(pub(super) u64);

impl Pieces {
    pub(super) fn push(&mut self, piece: Buffer) {
        self.n_bytes += piece.len() as u64;
        self.pieces.push(piece);
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}

/// Bytes of rows, in as few pieces as they lie in memory.
#[derive(Default)]
pub(super) struct RowPieces {
    pieces: Vec<Buffer>,
    /// The memory that the last piece is of, and where in it the piece begins and ends.
    memory: usize,
    first: usize,
    end: usize,
}

impl RowPieces {
    /// Adds a row: so many bytes of some memory.
    pub(super) fn push(&mut self, memory: &Buffer, at: usize, n_bytes: usize) {
        let is_next = self.memory == memory.as_ptr().addr() && self.end == at;
        self.end = at + n_bytes;
        match self.pieces.last_mut() {
            Some(last) if is_next => {
                *last = memory.slice_with_length(self.first, self.end - self.first);
            }
            _ => {
                self.pieces.push(memory.slice_with_length(at, n_bytes));
                self.memory = memory.as_ptr().addr();
                self.first = at;
            }
        }
    }
}

impl IntoIterator for RowPieces {
    type Item = Buffer;
    type IntoIter = std::vec::IntoIter<Buffer>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter()
    }
}

impl IntoIterator for Pieces {
    type Item = Buffer;
    type IntoIter = std::vec::IntoIter<Buffer>;

    fn into_iter(self) -> Self::IntoIter {
        self.pieces.into_iter()
    }
}

impl Handover {
    /// These pieces belong behind the first `at` bytes of the file. Those before them must have been put before.
    pub(super) fn put(&self, at: u64, pieces: Pieces) {
        self.lock().push_back((at, pieces));
    }

    /// Where the next pieces belong.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.lock().front().map(|(at, _)| *at)
    }

    /// The pieces that belong there, if some do.
    pub(super) fn take(&self, at: u64) -> Option<Pieces> {
        let next = self.lock().pop_front_if(|(next, _)| *next == at);
        next.map(|(_, pieces)| pieces)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Pieces)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for Elsewhere {
    fn len(&self) -> u64 {
        self.0
    }
}

impl ChunkReader for Elsewhere {
    type T = Unread;

    fn get_read(&self, _start: u64) -> Result<Unread> {
        Ok(Unread(self.0))
    }

    fn get_bytes(&self, _start: u64, _length: usize) -> Result<Bytes> {
        Err(ParquetError::General(
            "a chunk that was handed over is read".to_owned(),
        ))
    }
}

/// So many bytes, whatever they are.
pub(super) struct Unread(u64);

impl Read for Unread {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n_bytes = to.len().min(usize::try_from(self.0).unwrap_or(usize::MAX));
        self.0 -= n_bytes as u64;
        Ok(n_bytes)
    }
}
