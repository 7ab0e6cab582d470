//! Shards become the output that one process would have made.
//!
//! The ledgers of the shards are the truth until the output is published, and the output is from then on: a
//! merge that was ended at any moment is done again.

mod check;
mod damage;
mod folder;
mod into_file;
mod problems;
mod renumber;
mod source;
mod whole;

use super::{
    Published, SinkError,
    bundle::check_beside,
    claim::Claim,
    identity::Finished,
    ledger::{self, LedgerError, Owner},
    left,
    place::Place,
    publish::is_published,
    shards,
    shards_error::ShardsError,
    status::{Found, targets},
    verify::{finished_at, is_as_it_was},
};
use crate::{
    file::{Existing, FileError, create_folder, destination, sweep_once},
    job::{MergePlan, OutputTarget, Problems},
};
use std::{ops::ControlFlow, path::Path};
use whole::Whole;

/// What came of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The files that are there now.
    pub published: Published,
    /// Records of the input.
    pub records: u64,
    /// Rows of them.
    pub rows: u64,
    /// Records of them that were rejected.
    pub rejected: u64,
    /// Shards that were put together: none if the output was there already.
    pub shards: u64,
    /// Whether there was nothing to do.
    pub is_old: bool,
    /// Something that the user should know of the shards: one sentence without a final dot.
    pub warning: Option<String>,
}

/// How far a merge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeStep {
    /// So many commits have been read and compared with their hashes, before a folder is made of their files.
    Checked {
        /// Commits so far.
        parts: u64,
        /// All commits.
        of: u64,
    },
    /// All that is to be merged is there. So many parts have been put together.
    Joined {
        /// Parts so far.
        parts: u64,
        /// All parts.
        of: u64,
    },
    /// What is needed beside the rows is written.
    Listed,
    /// The output is there.
    Published,
    /// A shard was removed, as it is not needed any more.
    Removed,
}

/// Told how far a merge is, and says whether it is to go on.
pub type OnStep<'a> = dyn FnMut(MergeStep) -> ControlFlow<()> + 'a;

/// Puts the shards of an output together. What is merged already stays as it is. `on_step` may end it between two
/// steps.
///
/// # Errors
/// - If shards are missing, are not finished, or do not belong together: all that is wrong is said at once.
/// - If something is in the way that may not be replaced.
/// - If another process works on the output.
/// - If the file system refuses, or the merge was ended. Nothing is lost then.
pub fn merge(plan: &MergePlan, on_step: &mut OnStep<'_>) -> Result<Merged, SinkError> {
    put_together(plan, on_step).map_err(|error| match error {
        // It is the output, or its list of rejections.
        SinkError::File(FileError::Exists(path)) => ShardsError::Exists(path).into(),
        other => other,
    })
}

fn put_together(plan: &MergePlan, on_step: &mut OnStep<'_>) -> Result<Merged, SinkError> {
    let existing = Existing::unless(plan.overwrite);
    let places = targets(&plan.output);
    let places: Vec<_> = places.iter().map(Place::of).collect();
    let into = plan.file_target()?.as_ref().map(Place::of);
    if let Some(into) = &into {
        check_outside(into, &places)?;
    }
    let place = first_in_shards(places)?;
    match (place, into) {
        (Some(place), Some(into)) => {
            check_free(&place)?;
            let whole = Whole::of_shards(&place, &check::sources(&place)?)?;
            file_of(&whole, &into, existing, on_step)
        }
        (Some(place), None) => merge_in_place(&place, existing, on_step),
        (None, into) => match (Found::at(&plan.output)?, into) {
            (Found::Ledger { place, history }, Some(into)) if is_published(&place, &history) => {
                let whole = Whole::of_folder(&place, *history)?;
                file_of(&whole, &into, existing, on_step)
            }
            (Found::Ledger { place, history }, None) if is_published(&place, &history) => {
                let finished = Finished::of(&history);
                match place.is_folder() {
                    true => {
                        let whole = Whole::of_folder(&place, *history)?;
                        damage::check_all(&whole, &place, on_step)?;
                    }
                    false => check_file(place.output(), finished.as_ref())?,
                }
                remove_left(&place)?;
                Ok(old(&place, finished.as_ref()))
            }
            (Found::File { path, finished }, None) => {
                let place = Place::of(&target_of(&path)?);
                check_file(&path, Some(&finished))?;
                remove_left(&place)?;
                Ok(old(&place, Some(&finished)))
            }
            (Found::File { path, .. }, Some(_)) => Err(ShardsError::IsFile(path).into()),
            (Found::Ledger { place, .. } | Found::Shards { place, .. }, _) => {
                Err(ShardsError::Unfinished(place.output().to_owned()).into())
            }
        },
    }
}

fn first_in_shards(places: Vec<Place>) -> Result<Option<Place>, SinkError> {
    for place in places {
        if !shards::beside(&place)?.is_empty() {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn target_of(path: &Path) -> Result<OutputTarget, SinkError> {
    OutputTarget::of(path).map_err(|problem| Problems(vec![problem]).into())
}

/// Checks that a file lies neither where an output does nor in what belongs to it. `places` are those that the
/// output may have.
fn check_outside(file: &Place, places: &[Place]) -> Result<(), SinkError> {
    let path = destination(file.output());
    for place in places {
        let output = destination(place.output());
        if output == path {
            return Err(ShardsError::IsOutput(file.output().to_owned()).into());
        }
        for folder in [output, destination(place.bookkeeping())] {
            if path.starts_with(&folder) {
                return Err(SinkError::Inside {
                    output: file.output().to_owned(),
                    folder,
                });
            }
        }
    }
    Ok(())
}

/// What is said of an output that was there before.
fn old(place: &Place, finished: Option<&Finished>) -> Merged {
    let end = finished.map(|finished| &finished.end);
    Merged {
        published: place.published(),
        records: end.map_or(0, |end| end.records),
        rows: end.map_or(0, |end| end.rows),
        rejected: end.map_or(0, |end| end.rejected),
        shards: 0,
        is_old: true,
        warning: None,
    }
}

/// Removes what a merge has left that was ended when all else was done: its lock, and temporary files.
fn remove_left(place: &Place) -> Result<(), SinkError> {
    let is_left = match place.is_folder() {
        true => place.lock().exists(),
        false => place.bookkeeping().is_dir(),
    };
    // Whoever has the lock removes it.
    if is_left && let Ok((owner, _)) = Owner::take(&place.lock()) {
        sweep_once(place.bookkeeping());
        let claim = Claim::new(owner, place, false)?;
        remove_half_written(place)?;
        drop(claim);
    }
    place.remove_empty_folders(false);
    Ok(())
}

/// Removes what is left half written beside a file that is complete.
fn remove_half_written(place: &Place) -> Result<(), SinkError> {
    match place.is_folder() {
        true => Ok(()),
        false => Ok(place.discard(None)?),
    }
}

/// Makes the output of its shards, and removes them.
fn merge_in_place(
    place: &Place,
    existing: Existing,
    on_step: &mut OnStep<'_>,
) -> Result<Merged, SinkError> {
    let (owner, _) = Owner::take(&place.lock())?;
    let claim = Claim::new(owner, place, false)?;
    let history = match place.is_folder() {
        true => ledger::read(&place.ledger())?.filter(|history| is_published(place, history)),
        false => None,
    };
    let whole = match history
        .as_ref()
        .map(|whole| left::check_whole(place, whole))
    {
        // Nobody knows whether the shards are still needed.
        Some(Err(error @ SinkError::File(_))) => return Err(error),
        whole => whole.unwrap_or(Ok(())),
    };
    let finished = match place.is_folder() {
        true => history.as_ref().and_then(Finished::of),
        false => finished_at(place.output(), existing)?,
    };
    let of_these = match &finished {
        Some(finished)
            if source::are_part_of(place, finished)?
                // A file that is damaged is made again, as its shards are still there.
                && (place.is_folder() || is_as_it_was(place.output(), finished, existing)?) =>
        {
            Some(finished)
        }
        _ => None,
    };
    // What is missing may be in the shards, if all of them are still there.
    let of_shards = || Whole::of_shards(place, &check::sources(place)?);
    let is_mended = of_these.is_some()
        && whole.is_err()
        && match of_shards() {
            Err(error @ SinkError::File(_)) => return Err(error),
            of_shards => of_shards.is_ok(),
        };
    if of_these.is_some() && !is_mended {
        source::remove(place, on_step)?;
        remove_half_written(place)?;
        whole?;
        return Ok(old(place, of_these));
    }
    let is_there = finished.is_some() || (!place.is_folder() && place.output().exists());
    if is_there && !is_mended && existing == Existing::Stays {
        return Err(ShardsError::Exists(place.output().to_owned()).into());
    }
    let sources = check::sources(place)?;
    let whole = Whole::of_shards(place, &sources)?;
    check_beside(place.target(), whole.end.rows, existing)?;
    let rejects = match place.is_folder() {
        true => folder::publish(&whole, place, existing, on_step)?,
        false => {
            if place.ledger().exists() {
                folder::make_way(&whole, place, existing)?;
            }
            into_file::publish(&whole, place, existing, on_step)?
        }
    };
    step(on_step, MergeStep::Published, place)?;
    source::remove(place, on_step)?;
    drop(claim);
    Ok(whole.merged(place, rejects, sources.len()))
}

/// Makes one file.
fn file_of(
    whole: &Whole,
    place: &Place,
    existing: Existing,
    on_step: &mut OnStep<'_>,
) -> Result<Merged, SinkError> {
    if let Some(folder) = place.host_folder() {
        return Err(SinkError::Inside {
            output: place.output().to_owned(),
            folder,
        });
    }
    if place.ledger().exists() || !shards::beside(place)?.is_empty() {
        return Err(ShardsError::OfAnother {
            output: place.output().to_owned(),
            folder: place.bookkeeping().to_owned(),
        }
        .into());
    }
    if let Some(finished) = finished_at(place.output(), existing)?
        && whole.is(&finished, place.target().format)
        && is_as_it_was(place.output(), &finished, existing)?
    {
        damage::check_all(whole, place, on_step)?;
        remove_left(place)?;
        return Ok(old(place, Some(&finished)));
    }
    if place.output().exists() && existing == Existing::Stays {
        return Err(ShardsError::Exists(place.output().to_owned()).into());
    }
    check_beside(place.target(), whole.end.rows, existing)?;
    create_folder(place.bookkeeping())?;
    let (owner, _) = Owner::take(&place.lock())?;
    let claim = Claim::new(owner, place, false)?;
    let rejects = into_file::publish(whole, place, existing, on_step)?;
    step(on_step, MergeStep::Published, place)?;
    drop(claim);
    Ok(whole.merged(place, rejects, whole.n_shards()))
}

/// Checks that nobody merges an output in place.
fn check_free(place: &Place) -> Result<(), SinkError> {
    let lock = place.lock();
    match lock.exists().then(|| ledger::look(&lock)).flatten() {
        Some(living) => Err(LedgerError::Owned {
            lock,
            living: Some(Box::new(living)),
        }
        .into()),
        None => Ok(()),
    }
}

/// Checks that a file is what was written, of which there are no shards any more.
///
/// # Errors
/// - If it is damaged.
/// - If the file system refuses.
fn check_file(path: &Path, finished: Option<&Finished>) -> Result<(), SinkError> {
    let checked = finished.map(|finished| is_as_it_was(path, finished, Existing::Stays));
    let checked = checked.transpose().map_err(|error| error.of_finished(true));
    checked.map(drop)
}

/// Tells how far the merge is.
fn step(on_step: &mut OnStep<'_>, step: MergeStep, place: &Place) -> Result<(), SinkError> {
    match on_step(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ShardsError::Ended(place.output().to_owned()).into()),
    }
}

#[cfg(test)]
mod tests;
