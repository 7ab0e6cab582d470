//! A work unit: the part of an input that one reader reads at a time.

use super::{identity::Identity, input::Input};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    fmt,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

/// The part of an input that one reader reads at a time.
///
/// A unit of a part of a file owns the records whose `>` follows a line feed of that part, and the
/// unit at the beginning of the file owns the first record too. So a record belongs to exactly one
/// unit wherever a file is divided, and no unit needs to look behind its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Index of the input among those of the read, from 0.
    pub input: usize,
    /// Which part of the file.
    pub extent: Extent,
    /// Bytes of the file on disk that the unit covers, 0 if that is not known.
    pub disk_bytes: u64,
    /// What the file must be when it is read, and still be when the unit has been read. `None` for a
    /// pipe.
    pub(super) identity: Option<Identity>,
    // As bytes, because serde refuses paths that are not UTF-8.
    #[serde(with = "serde_bytes")]
    path: Vec<u8>,
}

/// Which part of a file, in bytes from its beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Extent {
    /// All of it, compressed in whatever way.
    Whole,
    /// The records of a compressed file that can be entered at its beginning only which begin where at least
    /// `from` and less than `to` bytes of the file have been taken by decompressing what comes before. How
    /// many that are is known in steps of some text.
    Portion {
        /// Bytes of the file.
        from: u64,
        /// Bytes of the file; more than it has where all that follows is meant.
        to: u64,
    },
    /// The bytes `start..end` of plain text.
    Plain {
        /// The first byte.
        start: u64,
        /// The byte behind the last one.
        end: u64,
    },
    /// The bytes `start..end` of the text of a bgzip file.
    Bgzip {
        /// Where in the file the first block of the text begins.
        block: u64,
        /// Where in the file the first block of the next unit begins.
        next_block: u64,
        /// The first byte of the text.
        start: u64,
        /// The byte behind the last one of the text.
        end: u64,
    },
}

impl Unit {
    pub(super) fn new(number: usize, input: &Input, extent: Extent, disk_bytes: u64) -> Self {
        Self {
            input: number,
            extent,
            disk_bytes,
            identity: input.identity(),
            path: input.path.clone().into_os_string().into_vec(),
        }
    }

    /// Whether the input is a pipe, which cannot be read a second time.
    pub fn is_stream(&self) -> bool {
        self.identity.is_none()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.path))
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the whole file"),
            Self::Portion { from, .. } => write!(f, "compressed bytes from {from} on"),
            Self::Plain { start, end } => write!(f, "bytes {start} to {end}"),
            Self::Bgzip {
                block, next_block, ..
            } => write!(f, "compressed bytes {block} to {next_block}"),
        }
    }
}
