//! Bytes that follow each other in a file, and not in memory.

use ::parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};
use arrow_buffer::Buffer;
use bytes::Bytes;
use std::io::{self, Read};

/// Bytes that follow each other in a file, and not in memory.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: Vec<Buffer>,
    n_bytes: u64,
}

impl Pieces {
    pub(super) fn push(&mut self, piece: Buffer) {
        self.n_bytes += piece.len() as u64;
        self.pieces.push(piece);
    }

    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.n_bytes
    }
}

impl ChunkReader for Pieces {
    type T = Reading;

    fn get_read(&self, start: u64) -> Result<Reading> {
        match start {
            0 => Ok(Reading {
                pieces: self.pieces.clone(),
                n_piece: 0,
                at: 0,
            }),
            _ => Err(ParquetError::General(
                "a chunk is read from its beginning".to_owned(),
            )),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = Vec::with_capacity(length);
        let mut from_start = self.get_read(0)?;
        io::copy(&mut from_start.by_ref().take(start), &mut io::sink())?;
        from_start.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// Pieces that are read one after the other.
pub(super) struct Reading {
    pieces: Vec<Buffer>,
    n_piece: usize,
    /// Bytes of the piece that were read.
    at: usize,
}

impl Read for Reading {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.pieces.get(self.n_piece) {
            let rest = &piece.as_slice()[self.at..];
            if rest.is_empty() {
                self.n_piece += 1;
                self.at = 0;
                continue;
            }
            let n_bytes = rest.len().min(to.len());
            to[..n_bytes].copy_from_slice(&rest[..n_bytes]);
            self.at += n_bytes;
            return Ok(n_bytes);
        }
        Ok(0)
    }
}
