//! Where reading goes on, and how an offset within an input is written down.

use serde::{Deserialize, Serialize};

/// Where reading goes on: at a record of an input, as the place where a work unit begins and records
/// from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Which of the inputs, from 0.
    pub input: usize,
    /// Where in it a work unit may begin.
    pub from: Offset,
    /// Records from there.
    pub n_records: u64,
}

/// A place in an input where a work unit may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offset {
    /// The beginning of the input.
    Beginning,
    /// A byte of an input that is not compressed.
    Plain {
        /// From 0.
        byte: u64,
    },
    /// A place in an input that bgzip compressed.
    Bgzip {
        /// Where the block begins in the file.
        block: u64,
        /// Bytes of text to go on within the block.
        text: u64,
    },
}
