//! Whether an output is what was written: all of it is read again.

use super::{
    SinkError,
    format::{check, read_metadata},
    identity::Finished,
    ledger::{History, PartFile},
    place::Place,
    publish::is_published,
    status::{Found, all, wrong_with_old},
    verifier::files_of,
};
use crate::file::{Existing, is_temporary};
use serde::Serialize;
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The file, or the output where there is none.
    pub path: PathBuf,
    /// What is wrong with it: the end of a sentence that begins with its name.
    pub problem: String,
    /// Whether it is a file that can be removed: its rows are computed again then. Never one of the ledger, nor
    /// anything that is as it was.
    pub is_removable: bool,
}

/// What was found in an output that was read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether the output is finished; else this is about what of it is there.
    pub is_finished: bool,
    /// Whether all of it is there and only has to be published, which a run does.
    pub is_unpublished: bool,
    /// All that is wrong.
    pub flaws: Vec<Flaw>,
}

/// Reads an output again: each part, or the finished file, against its checksum.
///
/// # Errors
/// - If there is nothing of this program.
/// - If its ledger cannot be read.
pub fn verify(path: &Path) -> Result<Verified, SinkError> {
    let mut verified = Verified::default();
    match Found::at(path)? {
        Found::File { path, finished } => verified.read_file(&path, &finished)?,
        Found::Shards { place } => {
            for (_, place, history) in all(&place)? {
                match history {
                    Ok(Some(history)) => verified.read_parts(&place, &history),
                    Ok(None) => {}
                    Err(error) => verified.flaws.push(Flaw {
                        path: place.bookkeeping().to_owned(),
                        problem: format!("is a shard that nobody can read: {error}"),
                        is_removable: false,
                    }),
                }
            }
        }
        Found::Ledger { place, history } => {
            let is_over = is_published(&place, &history);
            match Finished::of(&history).filter(|_| is_over && !place.keeps_parts()) {
                // A file is there, and only its parts were not removed.
                Some(finished) => verified.read_file(place.output(), &finished)?,
                None => {
                    verified.read_parts(&place, &history);
                    verified.is_finished = is_over && history.is_complete();
                    verified.is_unpublished =
                        !is_over && history.end.is_some() && history.is_complete();
                    verified.flaws.extend(mixed(&place));
                }
            }
            if is_over && place.is_folder() && !place.is_shard() {
                verified.look_for_others(&place, &history);
            }
        }
    }
    Ok(verified)
}

/// What a finished file says, if one is there. One that is damaged says nothing, if it may be replaced.
///
/// # Errors
/// If it is damaged, and has to stay.
pub(super) fn finished_at(path: &Path, existing: Existing) -> Result<Option<Finished>, SinkError> {
    if !path.is_file() {
        return Ok(None);
    }
    match read_metadata(path) {
        Err(error @ SinkError::Damaged { .. }) if existing == Existing::Stays => Err(error),
        said => Ok(said.ok().flatten().as_ref().and_then(Finished::read)),
    }
}

/// Whether a finished file is still what was written, so that it need not be written again. One that may be replaced
/// need not be.
///
/// # Errors
/// - If it is damaged, and has to stay.
/// - If the file system refuses.
pub(super) fn is_as_it_was(
    path: &Path,
    finished: &Finished,
    existing: Existing,
) -> Result<bool, SinkError> {
    let mut verified = Verified::default();
    verified.read_file(path, finished)?;
    match (verified.flaws.into_iter().next(), existing) {
        (None, _) => Ok(true),
        (Some(_), Existing::IsReplaced) => Ok(false),
        (Some(flaw), Existing::Stays) => Err(SinkError::Damaged {
            path: flaw.path,
            message: flaw.problem,
            hint: "add `overwrite: true` to have it written again",
        }),
    }
}

/// What is wrong with a file that stands where this output will be, such as one that was about to be replaced when
/// the process was killed: what lies beside it is of another one already.
fn mixed(place: &Place) -> Option<Flaw> {
    Some(Flaw {
        path: place.output().to_owned(),
        problem: wrong_with_old(place)?,
        is_removable: false,
    })
}

impl Verified {
    /// A file that is not what it was, or is not one of the output.
    fn add(&mut self, path: &Path, problem: String) {
        self.flaws.push(Flaw {
            path: path.to_owned(),
            problem,
            is_removable: path.is_file(),
        });
    }

    /// Reads a file that is finished.
    fn read_file(&mut self, path: &Path, finished: &Finished) -> Result<(), SinkError> {
        let checked = check(path)?;
        self.files = 1;
        self.is_finished = true;
        self.bytes = path.metadata().map_or(0, |found| found.len());
        for problem in checked.problems {
            self.add(path, problem);
        }
        if self.flaws.is_empty() && checked.rows != finished.end.rows {
            let (rows, expect) = (checked.rows, finished.end.rows);
            self.add(path, format!("has {rows} rows, and had {expect}"));
        }
        Ok(())
    }

    /// Reads all parts that a ledger speaks of, and says which it should speak of.
    fn read_parts(&mut self, place: &Place, history: &History) {
        for commit in &history.commits {
            for (path, part) in files_of(commit, place) {
                self.read(&path, &part);
            }
        }
        for (from, to) in history.missing() {
            self.miss(place, from, to);
        }
    }

    /// Files in the folder of the parts that are none of them: whoever reads the folder reads them, too.
    fn look_for_others(&mut self, place: &Place, history: &History) {
        let Ok(entries) = place.parts().read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_temporary = name.to_str().is_some_and(is_temporary);
            if !is_temporary && !history.parts().any(|part| name == *part.name) {
                self.add(&entry.path(), "does not belong to the output".to_owned());
            }
        }
    }

    fn read(&mut self, path: &Path, part: &PartFile) {
        let mut hasher = blake3::Hasher::new();
        let read = File::open(path).and_then(|file| hasher.update_reader(file).map(|_| ()));
        self.files += 1;
        self.bytes += hasher.count();
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.add(path, "is missing".to_owned());
            }
            Err(error) => self.add(path, format!("cannot be read: {error}")),
            Ok(()) if hasher.count() != part.bytes => {
                let (now, then) = (hasher.count(), part.bytes);
                self.add(
                    path,
                    format!("is damaged: it has {now} bytes, and had {then}"),
                );
            }
            Ok(()) if hasher.finalize().to_hex().as_str() != part.blake3 => {
                self.add(path, "is damaged: its checksum is another one".to_owned());
            }
            Ok(()) => {}
        }
    }

    /// Records without a part, of an output whose end is known: else it is not finished, and no more.
    fn miss(&mut self, place: &Place, from: u64, to: Option<u64>) {
        if let Some(to) = to {
            let last = to - 1;
            let output = match place.is_shard() {
                true => place.bookkeeping(),
                false => place.output(),
            };
            self.flaws.push(Flaw {
                path: output.to_owned(),
                problem: format!("lacks the records {from} to {last}, counted from 0"),
                is_removable: false,
            });
        }
    }
}
