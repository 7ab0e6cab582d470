//! What is in the folder of an output that was merged, or was being merged: all of it, and nothing of others.

use super::{
    SinkError,
    ledger::{self, History, PartFile},
    place::Place,
    publish::is_published,
    shards::beside,
    shards_error::ShardsError,
    verifier::{files_of, is_as_it_was, lost},
};
use crate::{
    file::is_temporary,
    job::{OutputFormat, OutputTarget},
};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Whether the file at `path` is a part that lies, or lay, at `from`: a second name of it, or a copy.
///
/// # Errors
/// If that can be told only by reading it, which fails.
pub(super) fn is_part(path: &Path, part: &PartFile, from: &Path) -> Result<bool, SinkError> {
    let Ok(found) = fs::symlink_metadata(path) else {
        return Ok(false);
    };
    if !found.is_file() {
        return Ok(false);
    }
    let is_same = |other: fs::Metadata| (other.dev(), other.ino()) == (found.dev(), found.ino());
    if fs::metadata(from).is_ok_and(is_same) {
        return Ok(true);
    }
    Ok(found.len() == part.bytes && is_as_it_was(path, part)?)
}

/// The first file in the folder of an output that is made in shards which is not a part of one of them: it
/// is in the way of the merge.
///
/// # Errors
/// If the folder cannot be read, or a file in it.
pub(super) fn foreign_file(place: &Place) -> Result<Option<PathBuf>, SinkError> {
    let mut files = files_in(place)?;
    files.retain(|path| {
        let name = path.file_name().and_then(OsStr::to_str);
        !name.is_some_and(is_temporary)
    });
    if files.is_empty() {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for shard in beside(place)? {
        let place = place.shard(shard);
        // Of a ledger that cannot be read, nothing is known.
        if let Ok(Some(history)) = ledger::read(&place.ledger()) {
            let of_shard = history.parts().cloned();
            parts.extend(of_shard.map(|part| (place.parts().join(&part.name), part)));
        }
    }
    'files: for path in files {
        for (from, part) in &parts {
            if is_part(&path, part, from)? {
                continue 'files;
            }
        }
        return Ok(Some(path));
    }
    Ok(None)
}

/// Checks that all of a folder that was finished is still there.
///
/// # Errors
/// - Files are missing or cut, or the ledger does not speak of all records any more.
/// - Nobody can tell.
pub(super) fn check_whole(place: &Place, history: &History) -> Result<(), SinkError> {
    let lost = lost(history, place)?;
    let commits = history.commits.iter();
    let files = commits
        .filter(|commit| lost.contains(&commit.from))
        .flat_map(|commit| files_of(commit, place))
        .filter(|(path, part)| fs::metadata(path).map_or(0, |found| found.len()) != part.bytes);
    let files = files.map(|(path, _)| format!("`{}` is missing or cut", path.display()));
    let missing = history.missing().into_iter();
    let records = missing.filter_map(|(from, to)| {
        let last = to? - 1;
        Some(format!(
            "nothing has the records {from} to {last}, counted from 0"
        ))
    });
    let problems: Vec<_> = files.chain(records).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(ShardsError::Incomplete {
            output: place.output().to_owned(),
            problems,
        }
        .into()),
    }
}

/// Checks that whoever reads the folder at `path` reads what was written, if it is that of a finished output: all parts,
/// and no others.
///
/// # Errors
/// - Files are missing or cut, or there are some that do not belong to the output.
/// - Nobody can tell.
pub fn check_read(path: &Path) -> Result<(), SinkError> {
    let Ok(target) = OutputTarget::of(&path.join("")) else {
        return Ok(());
    };
    let place = Place::of(&target);
    let Some(history) = ledger::read(&place.ledger())?.filter(|all| is_published(&place, all))
    else {
        return Ok(());
    };
    check_whole(&place, &history)?;
    let is_read = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let ending = Path::new(name).extension();
        !name.starts_with('.')
            && ending.is_some_and(|ending| ending == OutputFormat::OF_PARTS.ending())
            && !history.parts().any(|part| part.name == name)
    };
    match files_in(&place)?.into_iter().find(is_read) {
        Some(other) => Err(SinkError::Damaged {
            path: other,
            message: "does not belong to the output in whose folder it lies".to_owned(),
            hint: "move it away: whoever reads the folder reads it, too",
        }),
        None => Ok(()),
    }
}

/// All that lies in the folder of the parts, if that is there.
///
/// # Errors
/// If it cannot be read.
pub(super) fn files_in(place: &Place) -> Result<Vec<PathBuf>, SinkError> {
    let folder = place.parts();
    let refused = |error| SinkError::io("read the folder", folder, error);
    let entries = match folder.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refused)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(refused)
}
