//! A folder of parts that nobody needs any more.

use super::{
    SinkError,
    ledger::{self, LedgerError, Owner},
    place::Place,
    shards,
};
use crate::job::OutputTarget;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Checks that no process works on an output, or on a shard of it.
///
/// # Errors
/// - If one does.
/// - If nobody can tell.
pub fn check_idle(target: &OutputTarget) -> Result<(), SinkError> {
    for place in places(target)? {
        let lock = place.lock();
        if let Some(living) = ledger::look(&lock) {
            let living = Some(Box::new(living));
            return Err(LedgerError::Owned { lock, living }.into());
        }
    }
    Ok(())
}

/// Removes a folder of parts with its ledger, or the shards of it: what the ledgers are of, and nothing else. What
/// others put there stays, and so does what is behind links.
///
/// # Errors
/// - If a process works on it. Then all of it stays.
/// - If the file system refuses.
pub fn remove(target: &OutputTarget) -> Result<(), SinkError> {
    // With a slash behind it, the name of a link is that of what is behind it.
    let parts: PathBuf = target.path.components().collect();
    let is_ours = |place: &Place| is_folder(place.bookkeeping()) && !parts.is_symlink();
    let places = places(target)?.into_iter().filter(is_ours);
    let owned = places.map(|place| Ok((Owner::take(&place.lock())?.0, place)));
    // Shards come before the folder in which theirs are.
    let owned: Vec<_> = owned.collect::<Result<_, SinkError>>()?;
    for (owner, place) in owned {
        // Parts without a ledger are those of somebody else.
        if fs::symlink_metadata(place.ledger()).is_ok_and(|found| found.is_file()) {
            place.discard(None)?;
        }
        drop(owner);
        place.remove_empty_folders(true);
    }
    Ok(())
}

/// Where the shards of an output lie, and all of it.
fn places(target: &OutputTarget) -> Result<Vec<Place>, SinkError> {
    let whole = Place::of(target);
    let mut places: Vec<_> = match is_folder(whole.bookkeeping()) {
        true => shards::beside(&whole)?
            .into_iter()
            .map(|shard| whole.shard(shard))
            .collect(),
        false => Vec::new(),
    };
    places.push(whole);
    Ok(places)
}

/// Whether there is a folder, and not a link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}
