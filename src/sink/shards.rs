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
use std::{collections::BTreeMap, io};

/// The shards that lie beside an output, whatever became of them, in the order of their folders.
///
/// # Errors
/// If nobody can tell.
pub(super) fn beside(place: &Place) -> Result<Vec<Shard>, SinkError> {
    let whole = place.whole();
    let folder = whole.bookkeeping();
    let refused = |error| SinkError::io("read the folder", folder, error);
    let entries = match folder.read_dir() {
        // Where a file has that name, there are no shards: whatever writes there says so.
        Err(error) if is_no_folder(&error) => return Ok(Vec::new()),
        entries => entries.map_err(refused)?,
    };
    let mut shards = Vec::new();
    for entry in entries {
        let name = entry.map_err(refused)?.file_name();
        shards.extend(name.to_str().and_then(Shard::of_folder_name));
    }
    shards.sort();
    Ok(shards)
}

fn is_no_folder(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
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
/// There are some, or nobody can tell.
pub(super) fn check_none(place: &Place) -> Result<(), SinkError> {
    let shards = beside(place)?;
    let is_left = |shard: &Shard| is_left_over(&place.shard(*shard));
    if shards.iter().all(is_left) {
        return Ok(());
    }
    Err(ShardsError::Begun {
        output: place.output().to_owned(),
        folder: place.bookkeeping().to_owned(),
        n_shards: shards.len(),
        count: shards[0].count(),
    }
    .into())
}

/// Whether nothing of a shard is in its folder any more, and the output is there: it was merged, and only what
/// others put there keeps the folder, such as a file of which a network keeps the contents while it is open.
fn is_left_over(shard: &Place) -> bool {
    let whole = shard.whole();
    let is_made = match whole.is_folder() {
        true => whole.manifest().exists(),
        false => whole.output().is_file(),
    };
    let has_ledger = || shard.ledger().try_exists().unwrap_or(true);
    is_made && !has_ledger() && !shard.lock().exists() && !shard.has_parts()
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
    for other in beside(place)? {
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
