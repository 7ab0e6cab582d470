//! Compression, told by content and never by name.

use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Plain text.
    None,
    /// gzip, of any number of members.
    Gzip,
    /// gzip in the blocks that `bgzip` writes, which can be entered in the middle.
    Bgzip,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
}

impl Compression {
    /// Bytes at the beginning of a file that tell its compression: a bgzip block's header.
    pub(super) const HEAD_BYTES: usize = 18;

    /// The compression of a file that begins with `head`.
    pub(super) fn sniff(head: &[u8]) -> Self {
        if bgzip_block_len(head).is_some() {
            return Self::Bgzip;
        }
        // What is too short for niffler is too short to be compressed.
        let Ok((_, format)) = niffler::sniff(Box::new(head)) else {
            return Self::None;
        };
        match format {
            niffler::Format::Gzip => Self::Gzip,
            niffler::Format::Bzip => Self::Bzip2,
            niffler::Format::Lzma => Self::Xz,
            niffler::Format::Zstd => Self::Zstd,
            niffler::Format::No => Self::None,
        }
    }

    /// The format's name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "plain text",
            Self::Gzip => "gzip",
            Self::Bgzip => "bgzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

    /// The command that tests a file of this format.
    pub(super) fn test_command(self) -> &'static str {
        match self {
            Self::None => "cat",
            Self::Gzip | Self::Bgzip => "gzip -t",
            Self::Zstd => "zstd -t",
            Self::Bzip2 => "bzip2 -t",
            Self::Xz => "xz -t",
        }
    }
}

/// The length in bytes of the bgzip block that begins with `head`, or `None` if none does.
pub(super) fn bgzip_block_len(head: &[u8]) -> Option<u64> {
    let head: &[u8; Compression::HEAD_BYTES] = head.first_chunk()?;
    // gzip's magic number, deflate, only an extra field, which holds the 2-byte subfield `BC`.
    let is_block = head[..4] == [0x1f, 0x8b, 8, 4] && head[10..16] == *b"\x06\0BC\x02\0";
    is_block.then(|| u64::from(u16::from_le_bytes([head[16], head[17]])) + 1)
}

/// The text of `compressed`, and how it is compressed.
///
/// All members of gzip, frames of zstd and streams of bzip2 and xz are read, one after the other.
pub(super) fn decode(
    mut compressed: impl Read + Send + 'static,
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
        // niffler's decoder stops behind the first stream and drops the rest without a word.
        Compression::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(whole)),
        _ => {
            niffler::send::get_reader(Box::new(whole))
                .map_err(io::Error::other)?
                .0
        }
    };
    Ok((text, compression))
}
