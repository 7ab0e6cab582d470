//! A folder of all parts.

use super::{MergeStep, OnStep, damage, renumber, step, whole::Whole};
use crate::{
    file::{Existing, Keep, Staged, create_folder, is_temporary, sync_folder},
    sink::{
        HashedFile, Rejects, SinkError,
        identity::Finished,
        ledger::{self, PartFile},
        manifest,
        place::Place,
        shards_error::ShardsError,
    },
};
use std::{
    collections::BTreeSet,
    fs, io,
    io::{BufWriter, Write},
    os::unix::fs::MetadataExt,
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
    let of = whole.history.parts().count() as u64;
    let mut parts = 0;
    step(on_step, MergeStep::Joined { parts, of }, place)?;
    for (commit, piece) in whole.history.commits.iter().zip(&whole.pieces) {
        if let (Some(part), Some(from)) = (&commit.file, &piece.file) {
            let to = place.parts().join(&part.name);
            link(from, &to).map_err(|error| SinkError::io("link", &to, error))?;
            parts += 1;
            step(on_step, MergeStep::Joined { parts, of }, place)?;
        }
    }
    sync_folder(&place.parts().join("any"));
    sync_folder(place.parts());
    let mut history = whole.history.clone();
    let mut lists = Vec::new();
    for (commit, piece) in history.commits.iter_mut().zip(&whole.pieces) {
        if let (Some(list), Some(from)) = (&mut commit.rejects, &piece.rejects) {
            let path = place.bookkeeping().join(&list.name);
            *list = renumbered(from, piece.base, &path)?;
            lists.push(path);
        }
    }
    ledger::write(&place.ledger(), &whole.entries(&history))?;
    step(on_step, MergeStep::Listed, place)?;
    let rejects = Rejects::beside(place.rejects(), existing, &lists)?;
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
    if Finished::of(&history).is_some_and(|finished| whole.is(&finished)) {
        return Ok(());
    }
    match existing {
        Existing::Stays => Err(ShardsError::Whole {
            output: place.output().to_owned(),
            folder: place.bookkeeping().to_owned(),
        }
        .into()),
        Existing::IsReplaced => Ok(place.discard(None)?),
    }
}

/// Checks that nothing is in the folder but what will be.
fn check_empty(whole: &Whole, place: &Place) -> Result<(), SinkError> {
    let names: BTreeSet<&str> = whole
        .history
        .parts()
        .map(|part| part.name.as_str())
        .collect();
    let entries = place.parts().read_dir().into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_ours = |name: &str| names.contains(name) || is_temporary(name);
        if !name.to_str().is_some_and(is_ours) {
            return Err(SinkError::InTheWay(entry.path()));
        }
    }
    Ok(())
}

/// Gives a part a second name, or, where the file system cannot, another one. Whatever has that name is one that
/// a merge put there before.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let linked = match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
            if id(from)? == id(to)? {
                return Ok(());
            }
            fs::remove_file(to)?;
            fs::hard_link(from, to)
        }
        linked => linked,
    };
    match linked {
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => Ok(()),
        Err(_) => fs::rename(from, to),
        Ok(()) => Ok(()),
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
