//! What is said of a file that cannot say it itself, in a file beside it.

use super::{VERSION, damaged};
use crate::{file, job::OutputFormat, sink::SinkError};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead as _, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Bytes of the beginning and of the end of a file by which it is known.
const END_BYTES: u64 = 64 << 10;
/// Entries that are the same in all cards of one output.
const OF_THE_OUTPUT: [&str; 2] = ["runner.identity", "runner.input_fingerprint"];

/// What is said of a file that cannot say it itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Card {
    /// Rows, each of a sequence.
    pub(super) rows: u64,
    /// The columns that the file holds.
    pub(super) columns: Vec<String>,
    /// Bytes of the file, and a hash of its two ends: by them it is known whether the card is about it.
    pub(super) bytes: u64,
    pub(super) ends_blake3: String,
    /// Files beside it, by their endings, with their hashes.
    pub(super) beside: BTreeMap<String, String>,
    /// All entries that a Parquet file would have.
    pub(super) metadata: BTreeMap<String, String>,
}

impl Card {
    /// The card at `path`. Nothing, if that is none, or not there.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let file = file::open(path).ok()?;
        let card: Self = serde_json::from_reader(io::BufReader::new(file)).ok()?;
        card.metadata.contains_key(VERSION).then_some(card)
    }

    /// What a file and its card say. Nothing, if there is no card.
    ///
    /// # Errors
    /// If the card is about another file.
    pub(super) fn of(path: &Path) -> Result<Option<Self>, SinkError> {
        let Some(card) = path_of_card(path).as_deref().and_then(Self::read) else {
            return Ok(None);
        };
        let is_same = || {
            let file = file::open(path)?;
            Ok(file.metadata()?.len() == card.bytes && ends(&file)? == card.ends_blake3)
        };
        match is_same() {
            Ok(true) => Ok(Some(card)),
            Ok(false) => Err(damaged(path, "it is not the file that was written")),
            Err(error) => Err(SinkError::io("read", path, error)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn write(&self, mut to: &File) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        writeln!(to, "{text}")
    }
}

/// Where the card of a file lies.
fn path_of_card(path: &Path) -> Option<PathBuf> {
    let format = OutputFormat::of(path).ok()?;
    let mut beside = format.sidecars(path, true).into_iter();
    beside.find(|path| path.extension().is_some_and(|ending| ending == "json"))
}

/// A hash of the two ends of a file.
///
/// # Errors
/// If it cannot be read.
pub(super) fn ends(file: &File) -> io::Result<String> {
    let n_bytes = file.metadata()?.len();
    let mut hasher = blake3::Hasher::new();
    for start in [0, n_bytes.saturating_sub(END_BYTES)] {
        let n_read = usize::try_from(END_BYTES.min(n_bytes)).unwrap_or(0);
        let mut bytes = vec![0; n_read];
        file.read_exact_at(&mut bytes, start)?;
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Whether two files are cards of the same output, whenever it was finished.
pub(in super::super) fn are_of_one_output(one: &Path, other: &Path) -> bool {
    let (Some(one), Some(other)) = (Card::read(one), Card::read(other)) else {
        return false;
    };
    let mut entries = OF_THE_OUTPUT.iter();
    entries.all(|entry| one.metadata.get(*entry) == other.metadata.get(*entry))
}

/// Whether a file could be one that lies beside an output of so many rows: a card, or a list of as many ids.
pub(in super::super) fn could_lie_beside(path: &Path, n_rows: u64) -> bool {
    if path.extension().is_some_and(|ending| ending == "json") {
        return Card::read(path).is_some();
    }
    let n_lines = file::open(path).map(|file| io::BufReader::new(file).split(b'\n').count());
    n_lines.is_ok_and(|n_lines| n_lines as u64 == n_rows)
}

/// The files that lie beside an output of ours, if there is one with a card.
pub(in super::super) fn was_beside(path: &Path) -> Vec<PathBuf> {
    let card = path_of_card(path).as_deref().and_then(Card::read);
    let Ok(format) = OutputFormat::of(path) else {
        return Vec::new();
    };
    let Some(card) = card else {
        return Vec::new();
    };
    let mut beside = format.sidecars(path, true);
    beside.retain(|path| {
        let name = path.to_string_lossy();
        let mut endings = card.beside.keys();
        endings.any(|ending| name.ends_with(ending.as_str()))
    });
    beside
}
