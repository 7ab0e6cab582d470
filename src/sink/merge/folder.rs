//! A folder of all parts.

use super::{MergeStep, OnStep, damage, renumber, step, whole::Whole};
use crate::{
    file::{Existing, Keep, Staged, create_folder, is_temporary, sweep_once, sync_folder},
    sink::{
        HashedFile, Rejects, SinkError,
        identity::Finished,
        ledger::{self, PartFile},
        left::{files_in, is_part},
        manifest,
        place::Place,
        shards_error::ShardsError,
    },
};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// Publishes a folder, its ledger, and its list of rejections. Gives the list, if there is one.
///
/// The parts get a second name first, so that a shard loses nothing if the merge is ended. Then comes the
/// ledger, and the manifest at last.
///
/// # Errors
/// If something is in the way, or the file system refuses.
pub(super) fn publish(
    whole: &Whole,
    place: &Place,
    existing: Existing,
    on_step: &mut OnStep<'_>,
) -> Result<Option<PathBuf>, SinkError> {
    make_way(whole, place, existing)?;
    check_empty(whole, place)?;
    // They are not copied, so nothing else looks at them. All, before any has got another name.
    damage::check_all(whole, place, on_step)?;
    create_folder(place.parts())?;
    // A copy that was not completed.
    sweep_once(place.parts());
    let of = whole.history.parts().count() as u64;
    let mut parts = 0;
    step(on_step, MergeStep::Joined { parts, of }, place)?;
    let mut history = whole.history.clone();
    let mut lists = Vec::new();
    for (commit, piece) in history.commits.iter_mut().zip(&whole.pieces) {
        if let (Some(list), Some(from)) = (&mut commit.rejects, &piece.rejects) {
            let path = place.bookkeeping().join(&list.name);
            *list = renumbered(from, piece.base, &path)?;
            lists.push(path);
        }
    }
    let rejects = Rejects::beside(place.rejects(), existing, &lists).inspect_err(|_| {
        // The ledger, if one is there, speaks of them.
        if !place.ledger().exists() {
            for list in &lists {
                let _ = fs::remove_file(list);
            }
        }
    })?;
    for (commit, piece) in whole.history.commits.iter().zip(&whole.pieces) {
        if let (Some(part), Some(from)) = (&commit.file, &piece.file) {
            let to = place.parts().join(&part.name);
            link(part, from, &to)?;
            parts += 1;
            step(on_step, MergeStep::Joined { parts, of }, place)?;
        }
    }
    sync_folder(&place.parts().join("any"));
    sync_folder(place.parts());
    ledger::write(&place.ledger(), &whole.entries(&history))?;
    step(on_step, MergeStep::Listed, place)?;
    let published = rejects.publish_with(|| {
        step(on_step, MergeStep::Listed, place)?;
        manifest::write(place, &history, &whole.end)
    });
    let ((), rejects) = published?;
    Ok(rejects)
}

/// Removes another output, if that may be replaced.
pub(super) fn make_way(whole: &Whole, place: &Place, existing: Existing) -> Result<(), SinkError> {
    let Some(history) = ledger::read(&place.ledger())? else {
        return Ok(());
    };
    // One that this very merge has left when it was ended.
    if Finished::of(&history).is_some_and(|finished| whole.is(&finished, place.target().format)) {
        return Ok(());
    }
    match existing {
        Existing::Stays => Err(ShardsError::ExistsAsWhole {
            output: place.output().to_owned(),
            folder: place.bookkeeping().to_owned(),
        }
        .into()),
        Existing::IsReplaced => match place.foreign_file() {
            Some(path) => Err(SinkError::InTheWay(path)),
            None => Ok(place.discard(None)?),
        },
    }
}

/// Checks that nothing is in the folder but what will be, which an earlier merge has left there.
fn check_empty(whole: &Whole, place: &Place) -> Result<(), SinkError> {
    let parts = whole.history.commits.iter().zip(&whole.pieces);
    let parts: HashMap<&str, (&PartFile, &Path)> = parts
        .filter_map(|(commit, piece)| {
            let part = commit.file.as_ref()?;
            Some((part.name.as_str(), (part, piece.file.as_deref()?)))
        })
        .collect();
    for path in files_in(place)? {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_ours = match parts.get(name) {
            Some((part, from)) => is_part(&path, part, from)?,
            None => is_temporary(name),
        };
        if !is_ours {
            return Err(SinkError::InTheWay(path));
        }
    }
    Ok(())
}

/// Gives a part a second name, or, where the file system cannot, another one, or, where that is on another
/// file system, makes a copy. It may have been done before.
fn link(part: &PartFile, from: &Path, to: &Path) -> Result<(), SinkError> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    if fs::symlink_metadata(to).is_ok() {
        return match is_part(to, part, from)? {
            true => Ok(()),
            false => Err(SinkError::InTheWay(to.to_owned())),
        };
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let staged = Staged::create(to, Existing::Stays)?;
            let mut copy = staged.writer()?;
            let copied = File::open(from).and_then(|mut part| io::copy(&mut part, &mut copy));
            copied.map_err(|error| SinkError::io("copy", from, error))?;
            staged.publish(Keep::Safely)?;
            Ok(())
        }
        renamed => renamed.map_err(|error| SinkError::io("link", to, error)),
    }
}

/// Writes the list of a part, with the numbers that its records have in the whole input.
fn renumbered(from: &Path, base: u64, to: &Path) -> Result<PartFile, SinkError> {
    let staged = Staged::create(to, Existing::IsReplaced)?;
    let mut writer = BufWriter::new(HashedFile::new(staged.writer()?));
    let copied = renumber::copy(from, base, &mut writer).and_then(|()| writer.flush());
    copied.map_err(|error| SinkError::io("write", to, error))?;
    let list = PartFile {
        name: to
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        bytes: writer.get_ref().n_bytes(),
        blake3: writer.get_ref().hash(),
    };
    staged.publish(Keep::Safely)?;
    Ok(list)
}
