//! How far the shards of an output are.

use super::{Rate, State, Status, rate, seconds_since};
use crate::{
    job::Shard,
    sink::{
        Difference, SinkError,
        identity::differences,
        ledger::{self, Commit, Header, History, Living},
        place::Place,
        shards::beside,
    },
};
use serde::Serialize;
use std::path::PathBuf;

/// How far a shard is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShardStatus {
    /// Which one it is.
    #[serde(flatten)]
    pub shard: Shard,
    /// Where its parts are.
    pub folder: PathBuf,
    /// What becomes of it.
    pub state: State,
    /// Why its ledger cannot be read, if it cannot.
    pub problem: Option<String>,
    /// Who works on it, and how far it is since it began.
    pub owner: Option<Living>,
    /// Records that are done.
    pub records: u64,
    /// Rows of them.
    pub rows: u64,
    /// Records of them that were rejected.
    pub rejected: u64,
    /// Files of rows.
    pub parts: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// When the last of them was committed, as in RFC 3339.
    pub last_commit: Option<String>,
    /// How fast it went of late.
    pub recent_rate: Option<Rate>,
}

/// A shard, and what its ledger says, or why it cannot be read.
pub(in crate::sink) type Read = (Shard, Place, Result<Option<History>, SinkError>);

/// All shards that there should be, by those that are there, with their ledgers.
///
/// # Errors
/// If nobody can tell which are there.
pub(in crate::sink) fn all(place: &Place) -> Result<Vec<Read>, SinkError> {
    let found = beside(place)?;
    let count = found.first().map_or(0, |shard| shard.count());
    // Those of another number are in the way, so they are shown, too.
    let others = found.iter().filter(|shard| shard.count() != count).copied();
    let expected = (0..count).filter_map(|index| Shard::new(index, count).ok());
    let of = |shard: Shard| {
        let place = place.shard(shard);
        let history = ledger::read(&place.ledger());
        (shard, place, history)
    };
    Ok(expected.chain(others).map(of).collect())
}

fn history(read: &Read) -> Option<&History> {
    read.2.as_ref().ok()?.as_ref()
}

/// How far an output is that is made in shards.
///
/// # Errors
/// If nobody can tell which shards are there.
pub(super) fn of(place: &Place) -> Result<Status, SinkError> {
    let all = all(place)?;
    let shards: Vec<ShardStatus> = all.iter().map(shard_status).collect();
    let owner = match place.lock().exists() {
        true => ledger::look(&place.lock()),
        false => None,
    };
    let histories: Vec<&History> = all.iter().filter_map(history).collect();
    let sum = |of: fn(&History) -> u64| histories.iter().copied().map(of).sum();
    let is = |state: State| shards.iter().any(|shard| shard.state == state);
    let last_commit = shards
        .iter()
        .filter_map(|shard| shard.last_commit.clone())
        .max();
    let commits: Vec<&Commit> = histories
        .iter()
        .flat_map(|history| &history.commits)
        .collect();
    let header = histories.first().map(|history| &history.header);
    let mut stretches: Vec<_> = histories
        .iter()
        .flat_map(|history| history.stretches.clone())
        .collect();
    stretches.sort_by(|one, other| one.at.cmp(&other.at));
    let is_open = [State::Stopped, State::Missing, State::Unreadable]
        .into_iter()
        .any(is);
    Ok(Status {
        output: place.output().to_owned(),
        wrong: None,
        shard: None,
        conflicts: conflicts(&all),
        state: match owner.is_some() || is(State::BeingMade) {
            true => State::BeingMade,
            false if is_open => State::Stopped,
            false => State::Unmerged,
        },
        owner,
        records: sum(History::records),
        rows: sum(History::rows),
        rejected: sum(History::rejected),
        parts: shards.iter().map(|shard| shard.parts).sum(),
        bytes: shards.iter().map(|shard| shard.bytes).sum(),
        seconds_since_last_commit: last_commit.as_deref().and_then(seconds_since),
        last_commit,
        seconds: Some(histories.iter().map(|history| history.seconds()).sum()),
        rate: rate(&commits),
        recent_rate: recent(&shards),
        lost_rows: sum(History::lost_rows),
        lost_seconds: histories.iter().map(|history| history.lost_seconds()).sum(),
        settings: stretches
            .last()
            .map(|stretch| stretch.settings.clone())
            .or_else(|| header.map(|header| header.settings.clone()))
            .unwrap_or_default(),
        stretches,
        identity: header
            .map(|header| header.identity.clone())
            .unwrap_or_default(),
        damaged_lines: sum(|history| history.damaged_lines),
        shards,
    })
}

/// What is not the same in shards, compared with the first one that was begun.
fn conflicts(all: &[Read]) -> Vec<String> {
    let mut begun = all
        .iter()
        .filter_map(|read| Some((read.0, &history(read)?.header)));
    let Some((first, expected)) = begun.next() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (shard, header) in begun {
        let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        for Difference { name, was, is } in differences(&expected.identity, &header.identity) {
            let (was, is) = (shown(was), shown(is));
            found.push(format!(
                "{name} is {was} in shard {first}, and {is} in shard {shard}"
            ));
        }
        let part = |header: &Header| {
            let shard = header.shard.as_ref();
            shard.map(|found| (found.shard.count(), found.division.clone()))
        };
        match (part(expected), part(header)) {
            (Some(one), Some(two)) if one.0 != two.0 => {
                found.push(format!(
                    "shard {first} and shard {shard} are of different numbers"
                ));
            }
            (one, two) if one != two => {
                found.push(format!(
                    "shard {first} and shard {shard} are of different inputs"
                ));
            }
            _ => {}
        }
    }
    found
}

/// How fast the shards are together on which somebody works.
fn recent(shards: &[ShardStatus]) -> Option<Rate> {
    let working = shards
        .iter()
        .filter(|shard| shard.state == State::BeingMade);
    let rates = working.filter_map(|shard| shard.recent_rate);
    rates.reduce(|one, other| Rate {
        rows_per_sec: one.rows_per_sec + other.rows_per_sec,
        tokens_per_sec: one.tokens_per_sec + other.tokens_per_sec,
    })
}

fn shard_status(all_of_it: &Read) -> ShardStatus {
    let (shard, place, read) = all_of_it;
    let history = history(all_of_it);
    let owner = match place.lock().exists() {
        true => ledger::look(&place.lock()),
        false => None,
    };
    let is_finished = |history: &History| history.end.is_some() && history.is_complete();
    let state = match (&owner, history) {
        (Some(_), _) => State::BeingMade,
        (None, Some(history)) if is_finished(history) => State::Finished,
        (None, Some(_)) => State::Stopped,
        (None, None) if read.is_err() => State::Unreadable,
        (None, None) => State::Missing,
    };
    let recent = history.map(super::by_time).unwrap_or_default();
    let sum = |of: fn(&History) -> u64| history.map_or(0, of);
    ShardStatus {
        shard: *shard,
        problem: read.as_ref().err().map(SinkError::to_string),
        folder: place.bookkeeping().to_owned(),
        state,
        owner,
        records: sum(History::records),
        rows: sum(History::rows),
        rejected: sum(History::rejected),
        parts: sum(|history| history.parts().count() as u64),
        bytes: sum(|history| history.parts().map(|part| part.bytes).sum()),
        last_commit: recent.last().map(|commit| commit.at.clone()),
        recent_rate: rate(super::last(&recent)),
    }
}
