//! The shards that are merged.

use super::{MergeStep, OnStep, check, step};
use crate::{
    job::Shard,
    sink::{
        SinkError,
        identity::Finished,
        ledger::{self, History},
        place::Place,
        shards::beside,
        shards_error::ShardsError,
    },
};
use std::fs;

/// A shard that is finished.
pub(super) struct Source {
    pub(super) shard: Shard,
    pub(super) place: Place,
    pub(super) history: History,
}

impl Source {
    /// All shards of an output, in input order.
    ///
    /// # Errors
    /// If one is missing or not finished, or they do not belong together: all that is wrong.
    pub(super) fn all(place: &Place) -> Result<Vec<Self>, ShardsError> {
        let found = beside(place);
        let count = check::one_number(place, &found)?;
        let mut problems = check::Problems::default();
        let mut sources = Vec::new();
        for shard in (0..count).filter_map(|index| Shard::new(index, count).ok()) {
            let place = place.shard(shard);
            if let Some(history) = check::finished(shard, &place, &mut problems) {
                sources.push(Self {
                    shard,
                    place,
                    history,
                });
            }
        }
        check::alike(&sources, &mut problems);
        if sources.len() == count as usize {
            check::neighbours(&sources, &mut problems);
        }
        problems.none_or(place, sources)
    }
}

/// Whether what is left of the shards is in a finished output.
pub(super) fn are_part_of(place: &Place, finished: &Finished) -> bool {
    let chains = finished.end.all_chains();
    beside(place).into_iter().all(|shard| {
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
    })
}

/// Removes the shards of an output that is published.
pub(super) fn remove(place: &Place, on_step: &mut OnStep<'_>) -> Result<(), SinkError> {
    for shard in beside(place) {
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
