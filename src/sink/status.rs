//! How far an output is, for onlookers: nothing is changed, and nobody is disturbed.

mod shard;

use super::{
    SinkError,
    format::read_metadata,
    identity::Finished,
    ledger::{self, Commit, History, Living, Stretch},
    place::Place,
    publish::is_published,
    shards::beside,
};
use crate::job::{OutputKind, OutputTarget, Shard};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub use shard::ShardStatus;
pub(super) use shard::all;

/// Commits from which it is told how fast the work is now.
const RECENT_COMMITS: usize = 5;

/// What becomes of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is complete.
    Finished,
    /// A process works on it.
    BeingMade,
    /// Nobody works on it, and some of it is missing.
    Stopped,
    /// All of its shards are complete, and not merged.
    Unmerged,
    /// A shard that was never begun.
    Missing,
    /// A shard whose ledger cannot be read.
    Unreadable,
}

/// How fast an output was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Rows in a second.
    pub rows_per_sec: f64,
    /// Tokens in a second.
    pub tokens_per_sec: f64,
}

/// How far an output is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The output.
    pub output: PathBuf,
    /// Which shard of it this is about, if it is not all of it.
    pub shard: Option<Shard>,
    /// What becomes of it.
    pub state: State,
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
    /// When the last of them was committed, or the output finished, as in RFC 3339.
    pub last_commit: Option<String>,
    /// How long ago that was.
    pub seconds_since_last_commit: Option<u64>,
    /// The time that what is done took, if its parts are there.
    pub seconds: Option<f64>,
    /// How fast it went.
    pub rate: Option<Rate>,
    /// How fast it went of late.
    pub recent_rate: Option<Rate>,
    /// Rows that were computed twice, as a process ended before their commit.
    pub lost_rows: u64,
    /// The time that they took.
    pub lost_seconds: f64,
    /// Who worked on it, in order.
    pub stretches: Vec<Stretch>,
    /// All on which values, rows and their order depend.
    pub identity: BTreeMap<String, String>,
    /// How it was begun, as far as that may change.
    pub settings: BTreeMap<String, String>,
    /// Lines of the ledger that cannot be read.
    pub damaged_lines: u64,
    /// What is wrong with the file that stands where the output will be, if it is none any more: the end of a sentence
    /// that begins with its name.
    pub wrong: Option<String>,
    /// Its shards, if it is made in shards.
    pub shards: Vec<ShardStatus>,
    /// Why its shards cannot be merged, if they do not belong together.
    pub conflicts: Vec<String>,
}

/// Looks how far the output at `path` is: a file, a folder, or what is kept of one while it is made.
///
/// # Errors
/// - If there is nothing of this program.
/// - If what is there cannot be read.
pub fn status(path: &Path) -> Result<Status, SinkError> {
    let found = Found::at(path)?;
    Ok(match found {
        Found::File { path, finished } => of_file(path, finished),
        Found::Ledger { place, history } => of_ledger(&place, *history),
        Found::Shards { place } => shard::of(&place)?,
    })
}

/// What there is of an output.
pub(super) enum Found {
    /// A file that is complete.
    File { path: PathBuf, finished: Finished },
    /// Parts and their ledger.
    Ledger { place: Place, history: Box<History> },
    /// Shards that are not merged.
    Shards { place: Place },
}

impl Found {
    /// Finds what there is of the output that `path` is, or is kept for.
    pub(super) fn at(path: &Path) -> Result<Self, SinkError> {
        let mut in_shards = None;
        for place in places(path) {
            if let Some(history) = ledger::read(&place.ledger())? {
                let history = Box::new(history);
                return Ok(Self::Ledger { place, history });
            }
            if in_shards.is_none() && !beside(&place)?.is_empty() {
                in_shards = Some(place);
            }
        }
        let nothing = |what| SinkError::NoOutput {
            path: path.to_owned(),
            what,
        };
        match path.metadata() {
            // Of a file that is there, they are left over.
            _ if let Some(place) = in_shards
                && !place.output().is_file() =>
            {
                return Ok(Self::Shards { place });
            }
            Err(_) => return Err(nothing("is not there")),
            Ok(found) if found.is_dir() => {
                return Err(nothing("is a folder without a ledger"));
            }
            Ok(found) if !found.is_file() => return Err(nothing("is not a file")),
            Ok(_) => {}
        }
        let metadata = read_metadata(path)?;
        let finished = metadata.as_ref().and_then(Finished::read);
        match finished {
            Some(finished) => Ok(Self::File {
                path: path.to_owned(),
                finished,
            }),
            None => Err(nothing(
                "is a file of another program, or of an older version",
            )),
        }
    }
}

/// The places that a path may be about.
fn places(path: &Path) -> Vec<Place> {
    let shard = path
        .file_name()
        .and_then(|name| Shard::of_folder_name(name.to_str()?));
    let (path, shard) = match (shard, path.parent()) {
        (Some(shard), Some(whole)) => (whole, Some(shard)),
        _ => (path, None),
    };
    let targets = targets(path).into_iter();
    targets
        .map(|target| Place::of_shard(&target, shard))
        .collect()
}

/// The outputs that a path may be, or be kept for.
pub(super) fn targets(path: &Path) -> Vec<OutputTarget> {
    let text = path.to_string_lossy();
    let text = text.trim_end_matches('/');
    let target = |kind, text: &str| {
        let path = match kind {
            OutputKind::File => text.to_owned(),
            OutputKind::Folder => format!("{text}/"),
        };
        OutputTarget::of(Path::new(&path)).ok()
    };
    let targets = [
        target(OutputKind::File, text),
        target(OutputKind::Folder, text),
        text.strip_suffix(".parts")
            .and_then(|text| target(OutputKind::File, text)),
        text.strip_suffix(".ledger")
            .and_then(|text| target(OutputKind::Folder, text)),
    ];
    targets.into_iter().flatten().collect()
}

fn of_file(path: PathBuf, finished: Finished) -> Status {
    let Finished {
        identity,
        end,
        stretches,
    } = finished;
    let settings = stretches.last().map(|stretch| stretch.settings.clone());
    Status {
        shard: None,
        state: State::Finished,
        owner: None,
        records: end.records,
        rows: end.rows,
        rejected: end.rejected,
        parts: 1,
        bytes: path.metadata().map_or(0, |found| found.len()),
        seconds_since_last_commit: seconds_since(&end.at),
        last_commit: Some(end.at),
        seconds: None,
        rate: None,
        recent_rate: None,
        lost_rows: stretches.iter().map(|stretch| stretch.lost_rows).sum(),
        lost_seconds: stretches.iter().map(|stretch| stretch.lost_seconds).sum(),
        stretches,
        identity,
        settings: settings.unwrap_or_default(),
        damaged_lines: 0,
        wrong: None,
        shards: Vec::new(),
        conflicts: Vec::new(),
        output: path,
    }
}

fn of_ledger(place: &Place, history: History) -> Status {
    let owner = ledger::look(&place.lock());
    let state = match &owner {
        Some(_) => State::BeingMade,
        None if is_published(place, &history) && history.is_complete() => State::Finished,
        None => State::Stopped,
    };
    let commits = by_time(&history);
    let last_commit = commits.last().map(|commit| commit.at.clone());
    let recent = last(&commits);
    Status {
        output: place.output().to_owned(),
        shard: place.which_shard(),
        state,
        owner,
        records: history.records(),
        rows: history.rows(),
        rejected: history.rejected(),
        parts: history.parts().count() as u64,
        bytes: history.parts().map(|part| part.bytes).sum(),
        seconds_since_last_commit: last_commit.as_deref().and_then(seconds_since),
        last_commit,
        seconds: Some(history.seconds()),
        rate: rate(&commits),
        recent_rate: rate(recent),
        lost_rows: history.lost_rows(),
        lost_seconds: history.lost_seconds(),
        settings: history
            .stretches
            .last()
            .map_or(&history.header.settings, |stretch| &stretch.settings)
            .clone(),
        stretches: history.stretches,
        identity: history.header.identity,
        damaged_lines: history.damaged_lines,
        wrong: wrong_with_old(place).filter(|_| state == State::Stopped),
        shards: Vec::new(),
        conflicts: Vec::new(),
    }
}

/// What is wrong with the file that stands where an output will be that is not published, as the end of a sentence
/// that begins with its name.
pub(super) fn wrong_with_old(place: &Place) -> Option<String> {
    if place.keeps_parts() || !place.output().is_file() {
        return None;
    }
    match read_metadata(place.output()) {
        Err(SinkError::Damaged { message, .. }) => Some(message),
        _ => None,
    }
}

/// In the order in which they were made, which is not that of the records where some were done again.
fn by_time(history: &History) -> Vec<&Commit> {
    let mut commits: Vec<&Commit> = history.commits.iter().collect();
    commits.sort_by(|one, other| one.at.cmp(&other.at));
    commits
}

/// The last of them, from which it is told how fast the work is now.
fn last<'a, 'b>(commits: &'a [&'b Commit]) -> &'a [&'b Commit] {
    &commits[commits.len().saturating_sub(RECENT_COMMITS)..]
}

/// How fast these commits came. Nothing, if they took no time.
fn rate(commits: &[&Commit]) -> Option<Rate> {
    let seconds: f64 = commits.iter().map(|commit| commit.seconds).sum();
    let rows: u64 = commits.iter().map(|commit| commit.rows).sum();
    let tokens: u64 = commits.iter().map(|commit| commit.tokens).sum();
    (seconds > 0.0).then(|| Rate {
        rows_per_sec: rows as f64 / seconds,
        tokens_per_sec: tokens as f64 / seconds,
    })
}

fn seconds_since(at: &str) -> Option<u64> {
    let at = humantime::parse_rfc3339(at).ok()?;
    let since = SystemTime::now().duration_since(at);
    // Clocks of two machines may differ.
    Some(since.map_or(0, |since| since.as_secs()))
}

#[cfg(test)]
mod tests;
