//! Whether what lies beside an output is what was written with it, as its card says.

use super::damaged;
use crate::{
    file::{self, Card, hash_header_last},
    job::OutputFormat,
    sink::SinkError,
};
use std::{
    collections::BTreeMap,
    io::{self, BufRead as _},
    path::{Path, PathBuf},
};

/// Entries that are the same in all cards of one output.
const OF_THE_OUTPUT: [&str; 2] = ["runner.identity", "runner.input_fingerprint"];

/// Bytes before the numbers of an array in NumPy's format. The text of the header ends with blanks, so that it can be
/// written at last.
pub(super) const NPY_HEADER_BYTES: usize = 128;

/// What a file and its card say. Nothing, if there is no card.
///
/// # Errors
/// If the card is about another file.
pub(super) fn card_of(path: &Path) -> Result<Option<Card>, SinkError> {
    let Some(card) = Card::of(path) else {
        return Ok(None);
    };
    match file::open(path).and_then(|file| card.is_about(&file)) {
        Ok(true) => Ok(Some(card)),
        Ok(false) => Err(damaged(path, "it is not the file that was written")),
        Err(error) => Err(SinkError::io("read", path, error)),
    }
}

/// What is wrong with the files beside an output, each as the end of a sentence that begins with its name.
pub(super) fn wrong_beside(path: &Path, card: &Card) -> Vec<String> {
    let sidecars = OutputFormat::of(path).map_or_else(|_| Vec::new(), |of| of.sidecars(path, true));
    let problems = sidecars.iter().filter_map(|beside| {
        let (ending, hash) = card.of_beside(beside)?;
        let name = beside.display();
        match hash_of(beside, ending) {
            Ok(found) if found == hash => None,
            Ok(_) => Some(format!("has another `{name}` than was written with it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some(format!("needs `{name}`, which is missing"))
            }
            Err(error) => Some(format!("needs `{name}`, which cannot be read: {error}")),
        }
    });
    problems.collect()
}

/// The hash of a file whose name ends so, as its card has it.
fn hash_of(path: &Path, ending: &str) -> io::Result<String> {
    let n_header = match ending.ends_with(".npy") {
        true => NPY_HEADER_BYTES,
        false => 0,
    };
    hash_header_last(path, n_header)
}

/// What an output says of itself of which only the file is gone: all that lay beside it is there.
pub(in super::super) fn said_of_gone(path: &Path) -> Option<BTreeMap<String, String>> {
    let card = Card::of(path).filter(|_| !path.exists())?;
    let is_all = wrong_beside(path, &card).is_empty();
    is_all.then_some(card.metadata)
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

/// The files that lie beside an output of ours, if there is one with a card, and are what was written with it: others are
/// somebody's.
pub(in super::super) fn was_beside(path: &Path) -> Vec<PathBuf> {
    let (Some(card), Ok(format)) = (Card::of(path), OutputFormat::of(path)) else {
        return Vec::new();
    };
    let mut beside = format.sidecars(path, true);
    beside.retain(|path| match card.of_beside(path) {
        Some((ending, hash)) => hash_of(path, ending).is_ok_and(|is| is == hash),
        None => Card::read(path).is_some_and(|other| other == card),
    });
    beside
}
