//! Compressed data of several members, decompressed one after the other.

use super::compression::{Compression, Surplus};
use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::{bufread::XzDecoder, stream::Stream};
use std::{
    io::{self, BufRead, Read},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The text of `compressed`, and how it is compressed. `taken` tells how many bytes of it decompressing has
/// taken.
///
/// All members of gzip, frames of zstd and streams of bzip2 and xz are read, one after the other.
pub(super) fn decode(
    mut compressed: impl Read + Send + 'static,
    taken: Arc<AtomicU64>,
) -> io::Result<(Box<dyn Read + Send>, Compression)> {
    let mut head = Vec::with_capacity(Compression::HEAD_BYTES);
    compressed
        .by_ref()
        .take(Compression::HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    let compression = Compression::sniff(&head);
    let whole = io::Cursor::new(head).chain(compressed);
    let text: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(whole),
        _ => Box::new(Members::new(whole, compression, taken)),
    };
    Ok((text, compression))
}

/// What gzip calls a member, xz and bzip2 a stream, and zstd a frame.
enum Member<R: BufRead> {
    Gzip(GzDecoder<R>),
    Bzip2(BzDecoder<R>),
    Xz(XzDecoder<R>),
    Zstd(zstd::Decoder<'static, R>),
}

/// The text of all members. Zeros may pad the last one, as on tapes; anything else behind it is an
/// error, because no text may vanish.
pub(super) struct Members<R: Read> {
    compression: Compression,
    state: State<R>,
}

enum State<R: Read> {
    Between(Source<R>),
    Inside(Box<Member<Source<R>>>),
    Ended,
}

impl<R: Read> Members<R> {
    pub(super) fn new(compressed: R, compression: Compression, taken: Arc<AtomicU64>) -> Self {
        Self {
            compression,
            state: State::Between(Source::new(compressed, taken)),
        }
    }

    /// Looks for the next member.
    fn begin(&self, mut source: Source<R>) -> io::Result<State<R>> {
        loop {
            let head = source.peek(Compression::MAGIC_BYTES)?;
            if head.is_empty() {
                return Ok(State::Ended);
            }
            if self.compression.may_begin_with(head) {
                let member = Member::new(source, self.compression)?;
                return Ok(State::Inside(Box::new(member)));
            }
            let n_zeros = source
                .fill_buf()?
                .iter()
                .take_while(|byte| **byte == 0)
                .count();
            if n_zeros == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, Surplus));
            }
            source.consume(n_zeros);
        }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(source) => self.begin(source)?,
                State::Inside(mut member) => match member.read(out) {
                    Ok(0) if !out.is_empty() => State::Between(member.into_source()),
                    result => {
                        self.state = State::Inside(member);
                        return result;
                    }
                },
            };
        }
    }
}

/// Memory that decompressing xz may take in each reader: 128 MiB as for zstd, and some for the decoder.
const MOST_XZ_BYTES: u64 = 130 << 20;

impl<R: BufRead> Member<R> {
    fn new(source: R, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Bzip2 => Self::Bzip2(BzDecoder::new(source)),
            Compression::Xz => {
                let stream = Stream::new_stream_decoder(MOST_XZ_BYTES, 0)?;
                Self::Xz(XzDecoder::new_stream(source, stream))
            }
            Compression::Zstd => {
                // zstd's own limit on the window, 128 MiB, is kept: it is memory for each reader.
                Self::Zstd(zstd::Decoder::with_buffer(source)?.single_frame())
            }
            Compression::None | Compression::Gzip | Compression::Bgzip => {
                Self::Gzip(GzDecoder::new(source))
            }
        })
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(member) => member.read(out),
            Self::Bzip2(member) => member.read(out),
            Self::Xz(member) => member.read(out),
            Self::Zstd(member) => member.read(out),
        }
    }

    fn into_source(self) -> R {
        match self {
            Self::Gzip(member) => member.into_inner(),
            Self::Bzip2(member) => member.into_inner(),
            Self::Xz(member) => member.into_inner(),
            Self::Zstd(member) => member.finish(),
        }
    }
}

/// A buffer that can show what comes next.
struct Source<R> {
    inner: R,
    /// Bytes that were consumed.
    taken: Arc<AtomicU64>,
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
}

const SOURCE_BYTES: usize = 64 << 10;

impl<R: Read> Source<R> {
    fn new(inner: R, taken: Arc<AtomicU64>) -> Self {
        Self {
            inner,
            taken,
            buffer: vec![0; SOURCE_BYTES],
            start: 0,
            filled: 0,
        }
    }

    /// The next `n_bytes`, or fewer at the end.
    fn peek(&mut self, n_bytes: usize) -> io::Result<&[u8]> {
        if self.filled - self.start < n_bytes {
            self.buffer.copy_within(self.start..self.filled, 0);
            self.filled -= self.start;
            self.start = 0;
        }
        while self.filled - self.start < n_bytes {
            match self.inner.read(&mut self.buffer[self.filled..]) {
                Ok(0) => break,
                Ok(n_bytes) => self.filled += n_bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.filled.min(self.start + n_bytes)])
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let n_bytes = bytes.read(out)?;
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.filled {
            self.start = 0;
            self.filled = 0;
            self.filled = self.inner.read(&mut self.buffer)?;
        }
        Ok(&self.buffer[self.start..self.filled])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.start += n_bytes;
        self.taken.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }
}
