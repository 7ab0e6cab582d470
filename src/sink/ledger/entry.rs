//! What a ledger says, an entry a line.

use crate::{fasta::Position, job::Shard};
use serde::{Deserialize, Serialize, Serializer};
use std::{collections::BTreeMap, time::SystemTime};

/// The version of the ledger's form that this program writes.
pub const VERSION: u32 = 1;

/// Parts of a second that are written down.
const PARTS_OF_A_SECOND: f64 = 1000.0;

/// An entry of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// What the output is. The first line.
    Header(Header),
    /// A process begins to work on it.
    Stretch(Stretch),
    /// Some consecutive records are on the disk.
    Commit(Commit),
    /// All of them are.
    End(End),
}

/// What an output is, whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the ledger's form, [`VERSION`].
    pub ledger: u32,
    /// All on which values, rows and their order depend.
    pub identity: BTreeMap<String, String>,
    /// The format of the parts.
    pub format: String,
    /// How the output is made, as far as that may change.
    pub settings: BTreeMap<String, String>,
    /// Which part of the records it is about, if it is not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardHeader>,
}

/// Which part of the records the output of one of several processes holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardHeader {
    /// Which one of them it is.
    #[serde(flatten)]
    pub shard: Shard,
    /// Which inputs are divided into how many shards: a hash of their number, and of the sizes of the inputs
    /// and samples of what these hold, in order.
    pub division: String,
}

/// The work of one process, from its beginning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// When it began, as in RFC 3339.
    pub at: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Where the model ran, for people.
    pub device: String,
    /// How it worked.
    pub settings: BTreeMap<String, String>,
    /// Rows that the stretch before had computed and not committed.
    pub lost_rows: u64,
    /// The time of the stretch before since its last commit.
    #[serde(serialize_with = "as_milliseconds")]
    pub lost_seconds: f64,
}

/// Some consecutive records, which are on the disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The first record, from 0.
    pub from: u64,
    /// The record behind the last one.
    pub to: u64,
    /// Records that were embedded.
    pub rows: u64,
    /// Records that a policy rejected.
    pub rejected: u64,
    /// Records that were embedded in part.
    pub truncated: u64,
    /// Residues that were embedded.
    pub residues: u64,
    /// Tokens that were embedded.
    pub tokens: u64,
    /// The chained hash of the records up to `from`.
    pub before: String,
    /// The chained hash of the records up to `to`.
    pub hash: String,
    /// Where record `from` begins, of the first commit of a shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Position>,
    /// The rows, if there are any.
    pub file: Option<PartFile>,
    /// The list of rejections, if there are any.
    pub rejects: Option<PartFile>,
    /// Where record `to` begins.
    pub next: Option<Position>,
    /// The state of the inputs up to there.
    pub inputs: Option<String>,
    /// When it was made, as in RFC 3339.
    pub at: String,
    /// The time since the commit before, or since the stretch began.
    #[serde(serialize_with = "as_milliseconds")]
    pub seconds: f64,
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFile {
    /// Its name in the folder of the parts.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// The hash of its contents.
    pub blake3: String,
}

/// What the whole output holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Records of the input.
    pub records: u64,
    /// Records that were embedded.
    pub rows: u64,
    /// Records that a policy rejected.
    pub rejected: u64,
    /// The hash of all records: the chained one, or, where there are several chains, one of them all.
    pub hash: String,
    /// The chains, where there are several: those of the shards that the output was merged from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chains: Vec<Chain>,
    /// Where the first record begins, of a shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Position>,
    /// Where the record behind the last one begins, of a shard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Position>,
    /// The state of the inputs.
    pub inputs: Option<String>,
    /// When it was reached, as in RFC 3339.
    pub at: String,
}

/// Consecutive records whose hashes are one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// How many they are.
    pub records: u64,
    /// The hash of all of them.
    pub hash: String,
}

impl Commit {
    /// Records of the commit.
    pub fn records(&self) -> u64 {
        self.to - self.from
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &PartFile> {
        self.file.iter().chain(&self.rejects)
    }

    /// Whether it has a record of those from `from` up to `to`.
    pub(super) fn overlaps(&self, from: u64, to: u64) -> bool {
        self.from < to && from < self.to
    }
}

/// The time, as entries have it.
pub(in crate::sink) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Writes seconds so that they are short, and read back as what was written. JSON has no numbers that
/// are not finite: a line with one could not be read back.
fn as_milliseconds<S: Serializer>(seconds: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    let rounded = (seconds * PARTS_OF_A_SECOND).round() / PARTS_OF_A_SECOND;
    serializer.serialize_f64(if rounded.is_finite() { rounded } else { 0.0 })
}
