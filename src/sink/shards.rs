//! The shards of an output: which ones lie beside it, and whether they get in each other's way.

use super::{
    SinkError,
    identity::differences,
    ledger::{self, History, LedgerError, ShardHeader},
    place::Place,
    shards_error::ShardsError,
};
use crate::{
    fasta::{self, Input},
    job::Shard,
};
use std::collections::BTreeMap;

/// The shards that lie beside an output, whatever became of them, in the order of their folders.
pub(super) fn beside(place: &Place) -> Vec<Shard> {
    let whole = place.whole();
    let entries = whole.bookkeeping().read_dir();
    let entries = entries.into_iter().flatten().flatten();
    let mut shards: Vec<Shard> = entries
        .filter_map(|entry| Shard::of_folder_name(entry.file_name().to_str()?))
        .collect();
    shards.sort();
    shards
}

/// What the ledger of a shard says of it.
///
/// # Errors
/// If an input cannot be read.
pub(super) fn header(shard: Shard, inputs: &[Input]) -> Result<ShardHeader, SinkError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&shard.count().to_le_bytes());
    fasta::hash_contents(inputs, &mut hasher)
        .map_err(|(path, error)| SinkError::io("read", &path, error))?;
    Ok(ShardHeader {
        shard,
        division: hasher.finalize().to_hex().to_string(),
    })
}

/// What the ledger of a shard says. Nothing, if it was never begun.
///
/// # Errors
/// - If there are parts, or commits, and nothing says what they are.
/// - If it cannot be read.
pub(super) fn history(shard: Shard, place: &Place) -> Result<Option<History>, SinkError> {
    match ledger::read(&place.ledger()) {
        Ok(None) if !place.has_parts() => Ok(None),
        Ok(None) | Err(SinkError::Ledger(LedgerError::Headless { .. })) => {
            Err(ShardsError::NoLedger {
                shard,
                folder: place.bookkeeping().to_owned(),
            }
            .into())
        }
        read => read,
    }
}

/// Checks that nobody makes shards of an output that is to be made as a whole.
///
/// # Errors
/// There are some.
pub(super) fn check_none(place: &Place) -> Result<(), ShardsError> {
    match beside(place).as_slice() {
        [] => Ok(()),
        shards => Err(ShardsError::Begun {
            output: place.output().to_owned(),
            folder: place.bookkeeping().to_owned(),
            n_shards: shards.len(),
            count: shards[0].count(),
        }),
    }
}

/// Checks that a shard can be made where its folder is.
///
/// # Errors
/// - Nobody would ask for it: there are shards of another number, of other inputs, or of another output. The
///   last may be if all of them are to be replaced.
/// - The output is being made, or merged, as a whole.
pub(super) fn check_others(
    place: &Place,
    mine: &ShardHeader,
    identity: &BTreeMap<String, String>,
    overwrite: bool,
) -> Result<(), SinkError> {
    let whole = place.whole();
    if whole.ledger().exists() {
        return Err(ShardsError::Whole {
            mine: mine.shard,
            output: place.output().to_owned(),
            folder: whole.bookkeeping().to_owned(),
        }
        .into());
    }
    if whole.lock().exists()
        && let Some(living) = ledger::look(&whole.lock())
    {
        return Err(LedgerError::Owned {
            lock: whole.lock(),
            living: Some(Box::new(living)),
        }
        .into());
    }
    for other in beside(place) {
        if other.count() != mine.shard.count() {
            return Err(ShardsError::Number {
                mine: mine.shard,
                other,
                folder: whole.bookkeeping().to_owned(),
            }
            .into());
        }
        let other_place = whole.shard(other);
        let Some(header) = ledger::read_header(&other_place.ledger()) else {
            continue;
        };
        if header
            .shard
            .is_some_and(|header| header.division != mine.division)
        {
            return Err(ShardsError::Division {
                other,
                folder: whole.bookkeeping().to_owned(),
            }
            .into());
        }
        // Its own may be replaced, and with `overwrite` the others will be.
        let differences = match overwrite || other == mine.shard {
            true => Vec::new(),
            false => differences(&header.identity, identity),
        };
        if differences.is_empty() {
            continue;
        }
        return Err(ShardsError::Different {
            mine: mine.shard,
            other,
            folder: other_place.bookkeeping().to_owned(),
            differences,
            is_being_made: is_being_made(&other_place),
        }
        .into());
    }
    Ok(())
}

/// Whether somebody works on what lies there. Nobody has to be waited for where there is no lock.
fn is_being_made(place: &Place) -> bool {
    place.lock().exists() && ledger::look(&place.lock()).is_some()
}
