//! A place in the inputs of a read, from which another read can go on.

use super::unit::Extent;
use serde::{Deserialize, Serialize};

/// Where reading goes on: at a record of an input, as the place where a work unit begins and records
/// from there.
///
/// It is the same record whatever the length of units is, as a record begins behind the same place in
/// each division of its file. So no record needs an offset of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Index of the input among those of the read, from 0. Their number is the end of them all.
    pub input: usize,
    /// Where a work unit begins.
    pub from: Offset,
    /// Records of the input that come before that place, so that records keep their numbers.
    pub before: u64,
    /// Records of the input that come behind it and before this one. They may be more than the unit
    /// has.
    pub n_records: u64,
}

/// Where a work unit begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offset {
    /// At the beginning of the file. Compressed files that cannot be entered elsewhere, and pipes,
    /// are read from there.
    Beginning,
    /// In plain text.
    Plain {
        /// The first byte.
        byte: u64,
    },
    /// In a bgzip file.
    Bgzip {
        /// Where in the file a block begins.
        block: u64,
        /// Where in the text it begins.
        text: u64,
    },
}

impl Offset {
    /// Where a unit of this extent begins.
    pub fn of(extent: &Extent) -> Self {
        match *extent {
            Extent::Whole
            | Extent::Portion { .. }
            | Extent::Plain { start: 0, .. }
            | Extent::Bgzip { block: 0, .. } => Self::Beginning,
            Extent::Plain { start, .. } => Self::Plain { byte: start },
            Extent::Bgzip { block, start, .. } => Self::Bgzip { block, text: start },
        }
    }

    /// What is said behind the number of a record that counts from there.
    pub fn behind(&self) -> String {
        match *self {
            Self::Beginning => String::new(),
            Self::Plain { byte } => format!(" behind byte {byte}"),
            Self::Bgzip { block, .. } => format!(" behind compressed byte {block}"),
        }
    }

    /// Bytes of the file on disk that come before.
    pub fn disk_bytes(&self) -> u64 {
        match *self {
            Self::Beginning => 0,
            Self::Plain { byte } => byte,
            Self::Bgzip { block, .. } => block,
        }
    }
}

impl Position {
    /// The first record of an input.
    pub fn beginning_of(input: usize) -> Self {
        Self {
            input,
            from: Offset::Beginning,
            before: 0,
            n_records: 0,
        }
    }

    /// The record that comes `n_records` later in the same input, or the first one behind the input,
    /// if that has no more.
    pub fn advanced(&self, n_records: u64) -> Self {
        Self {
            n_records: self.n_records + n_records,
            ..self.clone()
        }
    }
}
