//! Compression, told by content and never by name.

use serde::{Deserialize, Serialize};
use std::{fmt, io};

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

    /// Bytes that tell whether a member begins: the longest magic number.
    pub(super) const MAGIC_BYTES: usize = 6;

    /// The compression of a file that begins with `head`, of which 18 bytes are enough.
    pub fn sniff(head: &[u8]) -> Self {
        if bgzip_block_len(head).is_some() {
            return Self::Bgzip;
        }
        [Self::Gzip, Self::Zstd, Self::Bzip2, Self::Xz]
            .into_iter()
            .find(|format| head.len() >= format.magic().len() && format.may_begin_with(head))
            .unwrap_or(Self::None)
    }

    /// Whether `head` is the beginning of a member, or may be one that is cut short.
    pub(super) fn may_begin_with(self, head: &[u8]) -> bool {
        if self == Self::None {
            return false;
        }
        let magic = self.magic();
        let skippable = matches!(head, [0x50..=0x5f, rest @ ..]
            if self == Self::Zstd && b"\x2a\x4d\x18".starts_with(&rest[..rest.len().min(3)]));
        head.starts_with(magic) || magic.starts_with(head) || skippable
    }

    /// What each member begins with; a frame of zstd that is to be skipped begins otherwise, as long.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::Gzip | Self::Bgzip => b"\x1f\x8b",
            Self::Zstd => b"\x28\xb5\x2f\xfd",
            Self::Bzip2 => b"BZh",
            Self::Xz => b"\xfd7zXZ\0",
        }
    }

    /// What is wrong with data that cannot be decompressed, and how to mend it. `None` for an error
    /// of the system, which is not about the data.
    pub(super) fn problem(self, error: &io::Error) -> Option<(String, String)> {
        // Errors of the system have a number. All others come from a decoder.
        if error.raw_os_error().is_some() || self == Self::None {
            return None;
        }
        let (name, test) = (self.name(), self.test_command());
        let again = format!("copy or download it again, and test it with `{test}`");
        let text = error.to_string();
        let is_surplus = error.get_ref().is_some_and(|inner| inner.is::<Surplus>());
        Some(if is_surplus {
            surplus(name)
        } else if error.kind() == io::ErrorKind::UnexpectedEof || text == "incomplete frame" {
            (format!("the {name} file is cut short"), again)
        } else if self == Self::Xz && text.contains("memory") {
            (
                "the xz data need a dictionary of more than 128 MiB, which is memory".to_owned(),
                "compress them with `xz -9` or less, or pipe them: `xz -dc FILE | \
                 runner exec job.rhai`, with `fasta(\"-\")`"
                    .to_owned(),
            )
        } else if text.contains("too much memory") {
            (
                "the zstd data need a window of more than 128 MiB, which is memory".to_owned(),
                "compress them without `--long`, or pipe them: `zstd -dc --long=31 FILE | \
                 runner exec job.rhai`, with `fasta(\"-\")`"
                    .to_owned(),
            )
        } else {
            (format!("the {name} data are damaged: {text}"), again)
        })
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

/// Something follows the last member that is none.
#[derive(Debug)]
pub(super) struct Surplus;

impl fmt::Display for Surplus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other bytes follow")
    }
}

impl std::error::Error for Surplus {}

/// Says that bytes stand behind the end of the data, and how to be rid of them.
pub(super) fn surplus(name: &str) -> (String, String) {
    (
        format!("bytes that are no {name} data stand behind the end of the {name} data"),
        "was something appended? compress the text anew, or download the file again".to_owned(),
    )
}

/// The length in bytes of the bgzip block that begins with `head`, or `None` if none does.
pub(super) fn bgzip_block_len(head: &[u8]) -> Option<u64> {
    let head: &[u8; Compression::HEAD_BYTES] = head.first_chunk()?;
    // gzip's magic number, deflate, only an extra field, which holds the 2-byte subfield `BC`.
    let is_block = head[..4] == [0x1f, 0x8b, 8, 4] && head[10..16] == *b"\x06\0BC\x02\0";
    is_block.then(|| u64::from(u16::from_le_bytes([head[16], head[17]])) + 1)
}
