//! What holds a run back.

use serde::Serialize;
use std::fmt;

/// The stages of the pipeline, in flow order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reader subprocesses read, decompress and parse.
    Reading,
    /// A thread tokenises and packs.
    Packing,
    /// Batches are given to the model, which on a CPU computes them right there.
    Encoding,
    /// Embeddings come back from the device.
    Collecting,
    /// Rows are brought into input order and written.
    Writing,
}

/// How much of the encoder's time is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// So little that no setting is worth changing.
    Good,
    /// Some of it.
    Mild,
    /// Most of it.
    Critical,
}

/// What holds a run back, and what would help.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// The stage that all others wait for.
    pub stage: Stage,
    /// How much of the encoder's time is lost.
    pub severity: Severity,
    /// What is the matter, with figures; one sentence without a final dot.
    pub message: String,
    /// What would help, if anything would; one sentence without a final dot.
    pub remedy: Option<String>,
}

impl Stage {
    /// All stages, in flow order.
    pub const ALL: [Self; 5] = [
        Self::Reading,
        Self::Packing,
        Self::Encoding,
        Self::Collecting,
        Self::Writing,
    ];

    /// Its name in scripts and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Packing => "packing",
            Self::Encoding => "encoding",
            Self::Collecting => "collecting",
            Self::Writing => "writing",
        }
    }
}

impl Severity {
    /// Its name in scripts and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Mild => "mild",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(remedy) = &self.remedy {
            write!(f, ": {remedy}")?;
        }
        Ok(())
    }
}
