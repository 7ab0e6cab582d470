//! The shards that are merged.

use super::{MergeStep, OnStep, step};
use crate::{
    file::FileError,
    job::Shard,
    sink::{
        SinkError,
        claim::Claim,
        identity::Finished,
        ledger::{self, History, Owner},
        place::Place,
        shards::beside,
    },
};
use std::{fs, path::Path};

/// A shard that is finished.
pub(super) struct Source {
    pub(super) shard: Shard,
    pub(super) place: Place,
    pub(super) history: History,
}

/// Whether what is left of the shards is in a finished output.
///
/// # Errors
/// If nobody can tell what is left.
pub(super) fn are_part_of(place: &Place, finished: &Finished) -> Result<bool, SinkError> {
    let chains = finished.end.all_chains();
    let is_part = |shard: Shard| {
        match ledger::read(&place.shard(shard).ledger()) {
            // Its ledger goes last.
            Ok(None) => !place.shard(shard).has_parts(),
            Ok(Some(history)) => {
                let is_in = |records: u64, hash: &str| {
                    let mut chains = chains.iter();
                    records == 0
                        || chains.any(|chain| chain.records == records && chain.hash == hash)
                };
                let end = history.end.as_ref();
                history.header.identity == finished.identity
                    && end.is_some_and(|end| is_in(end.records, &end.hash))
            }
            Err(_) => false,
        }
    };
    Ok(beside(place)?.into_iter().all(is_part))
}

/// Removes the shards of an output that is published.
pub(super) fn remove(place: &Place, on_step: &mut OnStep<'_>) -> Result<(), SinkError> {
    for shard in beside(place)? {
        let place = place.shard(shard);
        place.discard(None)?;
        // That of a process that was killed; nobody else is there.
        if ledger::look(&place.lock()).is_none() {
            let _ = fs::remove_file(place.lock());
        }
        place.remove_empty_folders(false);
        step(on_step, MergeStep::Removed, &place)?;
    }
    Ok(())
}

/// Removes a damaged file of a shard on which nobody works. Its next run sees that it is missing.
///
/// # Errors
/// If somebody works on it, or the file system refuses.
pub(super) fn remove_damaged(path: &Path, shard: &Place) -> Result<(), SinkError> {
    let (owner, _) = Owner::take(&shard.lock())?;
    let claim = Claim::new(owner, shard, false)?;
    fs::remove_file(path).map_err(|error| FileError::io("remove", path, error))?;
    drop(claim);
    Ok(())
}
