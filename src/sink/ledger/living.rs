//! A process that owns an output, as others see it.

use serde::{Deserialize, Serialize};

/// How far the owner of an output has come since it took it, whether committed or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Rows that were computed.
    pub rows: u64,
    /// The time since the work began.
    pub seconds: f64,
    /// Tokens that were computed.
    pub tokens: u64,
}

/// A process that owns an output.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Living {
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when, as in RFC 3339.
    pub since: String,
    /// How far it has come since.
    pub beat: Beat,
}

/// What the owner of an output said last, and the ledger may not have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastWords {
    /// How far it had come.
    pub beat: Beat,
    /// The stretches that a ledger has without these words, if somebody was about to write them there.
    pub n_stretches: Option<usize>,
}

impl From<Beat> for LastWords {
    fn from(beat: Beat) -> Self {
        Self {
            beat,
            n_stretches: None,
        }
    }
}
