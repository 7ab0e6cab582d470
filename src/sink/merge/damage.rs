//! Parts that are not what they were: those of shards are removed, so that their shards compute them again.

use super::{MergeStep, OnStep, problems::Problems, source::remove_damaged, step, whole::Whole};
use crate::sink::{SinkError, ledger::PartFile, place::Place, verifier::is_unchanged};
use std::path::{Path, PathBuf};

/// Reads all files that are to be put together, and compares them with the hashes in the ledger.
///
/// # Errors
/// - If some are not what they were. Those of shards are removed: they can only be computed again.
/// - If the file system refuses, or the merge was ended.
pub(super) fn check_all(
    whole: &Whole,
    place: &Place,
    on_step: &mut OnStep<'_>,
) -> Result<(), SinkError> {
    let of = whole.pieces.len() as u64;
    let mut problems = Problems::default();
    for n in 0..whole.pieces.len() {
        for (path, part) in files(whole, n, place) {
            if is_as_it_was(&path, &part)? {
                continue;
            }
            let Some(shard) = &whole.pieces[n].shard else {
                return Err(SinkError::Damaged {
                    path,
                    message: "is not what was written".to_owned(),
                    hint: "remove this file, nothing else, and run the script again: it computes it again",
                });
            };
            remove_damaged(&path, shard)?;
            problems.add_damaged(shard, &path);
        }
        let parts = n as u64 + 1;
        step(on_step, MergeStep::Checked { parts, of }, place)?;
    }
    Ok(problems.none_or(place, ())?)
}

/// Reads the files of one commit, and compares them with the hashes in the ledger. If they are not what they were,
/// all others are read, too.
///
/// # Errors
/// As [`check_all`].
pub(super) fn check(
    whole: &Whole,
    n: usize,
    place: &Place,
    on_step: &mut OnStep<'_>,
) -> Result<(), SinkError> {
    for (path, part) in files(whole, n, place) {
        if !is_as_it_was(&path, &part)? {
            return check_all(whole, place, on_step);
        }
    }
    Ok(())
}

/// The files of a commit, where they lie now, and what they were.
fn files(whole: &Whole, n: usize, place: &Place) -> Vec<(PathBuf, PartFile)> {
    let (commit, piece) = (&whole.history.commits[n], &whole.pieces[n]);
    let file = piece.file.clone().zip(commit.file.clone());
    // Where there are no second names, a merge that was ended has moved it.
    let file = file.map(|(path, part)| match place.parts().join(&part.name) {
        moved if place.is_folder() && !path.exists() && moved.exists() => (moved, part),
        _ => (path, part),
    });
    let rejects = piece.rejects.clone().zip(commit.rejects.clone());
    file.into_iter().chain(rejects).collect()
}

fn is_as_it_was(path: &Path, part: &PartFile) -> Result<bool, SinkError> {
    // What cannot be read is not removed: it may be there, and as it was, another time.
    is_unchanged(path, part).map_err(|error| SinkError::io("read", path, error))
}
