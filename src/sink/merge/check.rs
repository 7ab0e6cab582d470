//! Whether shards can be merged: all that is wrong is found at once.

use super::{
    problems::Problems,
    source::{Source, remove_damaged},
};
use crate::{
    fasta::{Offset, Position},
    hint::Hint,
    job::Shard,
    sink::{
        SinkError,
        format::read_metadata,
        identity::differences,
        ledger::{self, History, Living},
        place::Place,
        shards::{self, beside},
        shards_error::ShardsError,
        verifier::{files_of, has_its_size, is_as_it_was},
    },
    text::counted,
};
use std::path::{Path, PathBuf};

/// All shards of an output, in input order.
///
/// # Errors
/// - If one is missing or not finished, or they do not belong together: all that is wrong.
/// - If nobody can tell which there are.
pub(super) fn sources(place: &Place) -> Result<Vec<Source>, SinkError> {
    let found = beside(place)?;
    let count = one_number(place, &found)?;
    let mut problems = Problems::default();
    let mut sources = Vec::new();
    for shard in (0..count).filter_map(|index| Shard::new(index, count).ok()) {
        let place = place.shard(shard);
        if let Some(history) = finished(shard, &place, &mut problems) {
            sources.push(Source {
                shard,
                place,
                history,
            });
        }
    }
    alike(&sources, &mut problems);
    if sources.len() == count as usize {
        neighbours(&sources, &mut problems);
    }
    Ok(problems.none_or(place, sources)?)
}

/// The number of shards into which the work was divided.
///
/// # Errors
/// There are several.
fn one_number(place: &Place, found: &[Shard]) -> Result<u32, ShardsError> {
    let mut counts: Vec<u32> = found.iter().map(|shard| shard.count()).collect();
    counts.sort_unstable();
    counts.dedup();
    match counts.as_slice() {
        [count] => Ok(*count),
        counts => {
            let counts: Vec<_> = counts.iter().map(u32::to_string).collect();
            let mut problems = Problems::default();
            problems.other(
                format!(
                    "there are shards of {}, which are parts of different divisions",
                    counts.join(", and of ")
                ),
                format!(
                    "remove the folders in `{}` that are not to be merged",
                    place.bookkeeping().display()
                ),
            );
            problems.none_or(place, 0)
        }
    }
}

/// What the ledger of a shard says, if that is finished and all of it is there.
fn finished(shard: Shard, place: &Place, problems: &mut Problems) -> Option<History> {
    if let Some(living) = look(&place.lock()) {
        let Living {
            host, pid, since, ..
        } = living;
        let problem =
            format!("shard {shard} is being made by process {pid} on {host} since {since}");
        problems.other(problem, "wait for it, and merge again".to_owned());
        return None;
    }
    let history = match shards::history(shard, place) {
        Ok(Some(history)) => history,
        Ok(None) => {
            problems.add_to_run(shard, "is missing");
            return None;
        }
        Err(error) => {
            // As the shard itself says it, when it is run.
            let remedy = error
                .hint()
                .unwrap_or_else(|| "mend it, and merge again".to_owned());
            problems.other(format!("shard {shard}: {error}"), remedy);
            return None;
        }
    };
    if history.end.is_none() {
        problems.add_to_run(
            shard,
            &format!(
                "is not finished: {} of its records are done",
                history.records()
            ),
        );
        return None;
    }
    // As the shard itself sees it, when it is run.
    if !history.is_sound() {
        problems.add_to_run(
            shard,
            "lacks records that its ledger does not speak of any more",
        );
        return None;
    }
    Some(history)
}

/// Who works on a shard. Nobody has to be waited for where there is no lock.
fn look(lock: &Path) -> Option<Living> {
    lock.exists().then(|| ledger::look(lock)).flatten()
}

/// Whether the shards are those of one output.
fn alike(sources: &[Source], problems: &mut Problems) {
    let Some((first, others)) = sources.split_first() else {
        return;
    };
    for other in others {
        let (one, two) = (&first.history.header, &other.history.header);
        let folder = |source: &Source| source.place.bookkeeping().display().to_string();
        let remedy = || {
            format!(
                "remove `{}` or `{}`, whichever is wrong, and run it again with `--shard {}` or `--shard {}`",
                folder(first),
                folder(other),
                first.shard,
                other.shard
            )
        };
        for difference in differences(&one.identity, &two.identity) {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            problems.other(
                format!(
                    "shards {} and {} are of different outputs: {} is {} and {}",
                    first.shard,
                    other.shard,
                    difference.name,
                    shown(difference.was),
                    shown(difference.is)
                ),
                remedy(),
            );
        }
        let division = |header: &ledger::Header| {
            let shard = header.shard.as_ref();
            shard.map(|shard| shard.division.clone())
        };
        if one.format != two.format || division(one) != division(two) {
            problems.other(
                format!(
                    "shards {} and {} are of different inputs: of other sizes, contents or order",
                    first.shard, other.shard
                ),
                remedy(),
            );
        }
    }
}

/// Why nobody can prove that all shards were made of the same inputs, if that is so.
pub(super) fn doubt(sources: &[Source]) -> Option<String> {
    let state = |source: &Source| source.history.end.as_ref()?.inputs.clone();
    let (first, others) = sources.split_first()?;
    let other = others.iter().find(|other| state(other) != state(first))?;
    Some(format!(
        "shards {} and {} found the inputs in different states: files were touched between them, or are copies. \
         Their sizes and samples of what they hold are the same, but nobody can prove that the rest is",
        first.shard, other.shard
    ))
}

/// Whether each shard begins where the one before it ends, as far as that can be told: in files that are
/// read from their beginning, records are counted.
fn neighbours(sources: &[Source], problems: &mut Problems) {
    let not_empty = sources.iter().filter_map(|source| {
        let end = source.history.end.as_ref()?;
        (end.records > 0).then_some((source, end))
    });
    let mut before: Option<(&Source, Option<Position>)> = None;
    for (source, end) in not_empty {
        if let Some((other, Some(next))) = &before
            && let Some(first) = &end.first
            && (&next.from, &first.from) == (&Offset::Beginning, &Offset::Beginning)
            && next.input == first.input
            && next.n_records != first.n_records
        {
            problems.other(
                format!(
                    "shard {} ends before record {} of input {}, and shard {} begins with record {}",
                    other.shard,
                    next.n_records + 1,
                    next.input + 1,
                    source.shard,
                    first.n_records + 1
                ),
                format!(
                    "they were made of different files: remove `{}` and `{}`, and run both again",
                    other.place.bookkeeping().display(),
                    source.place.bookkeeping().display()
                ),
            );
        }
        before = Some((source, end.next.clone()));
    }
}

/// Whether the files of a shard are there as its ledger says. Those in `moved` were put there by a merge that
/// was ended. What is damaged is removed.
///
/// # Errors
/// If a file cannot be read, which then stays, or cannot be removed.
pub(super) fn files(
    source: &Source,
    moved: impl Fn(&Path) -> Option<PathBuf>,
    problems: &mut Problems,
) -> Result<(), SinkError> {
    let mut n_lost = 0;
    for commit in &source.history.commits {
        for (path, part) in files_of(commit, &source.place) {
            let is_there = path.try_exists();
            let path = match is_there.map_err(|error| SinkError::io("read", &path, error))? {
                true => path,
                false => moved(&path).unwrap_or(path),
            };
            let is_rejects = commit.rejects.as_ref() == Some(&part);
            // All of its data are compared before it is copied, or gets a second name.
            let is_suspect = || is_rejects || !matches!(read_metadata(&path), Ok(Some(_)));
            if !has_its_size(&path, &part)? {
                n_lost += 1;
            } else if is_suspect() && !is_as_it_was(&path, &part)? {
                // It has the size that it had, so the shard would not see it.
                remove_damaged(&path, &source.place)?;
                problems.add_damaged(&source.place, &path);
            }
        }
    }
    if n_lost > 0 {
        let files = counted(n_lost, "file", "files");
        let problem = format!("lost {files}, or they are damaged");
        problems.add_to_run(source.shard, &problem);
    }
    Ok(())
}
