//! Where the files of an output lie while it is made.

use super::{Published, ledger::History};
use crate::{
    file::{FileError, destination, is_temporary, is_temporary_of_others, sweep_once},
    job::{OutputFormat, OutputKind, OutputTarget, Shard, parts_beside, rejects_beside},
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

const LEDGER: &str = "ledger.jsonl";
const LOCK: &str = "lock";
const MANIFEST: &str = "manifest.json";
/// What lies in the folder of the ledger beside parts.
const BOOKKEEPING: [&str; 3] = [LEDGER, LOCK, MANIFEST];
const PART: &str = "part-";
/// Digits of the number of a part's first record.
const PART_DIGITS: usize = 12;
const REJECTS_ENDING: &str = "rejects.tsv";

/// Where the files of an output lie while it is made.
#[derive(Clone, Debug)]
pub(super) struct Place {
    target: OutputTarget,
    /// The folder of what is kept of the whole output.
    whole: PathBuf,
    /// That of the ledger: a folder in it for a shard.
    bookkeeping: PathBuf,
    shard: Option<Shard>,
}

impl Place {
    /// Where a shard of an output lies, or all of it.
    pub(super) fn of_shard(target: &OutputTarget, shard: Option<Shard>) -> Self {
        let whole = Self::of(target);
        match shard {
            Some(shard) => whole.shard(shard),
            None => whole,
        }
    }

    /// Where a shard of this output lies.
    pub(super) fn shard(&self, shard: Shard) -> Self {
        Self {
            bookkeeping: self.whole.join(shard.folder_name()),
            shard: Some(shard),
            ..self.clone()
        }
    }

    /// Where the output lies that this is a shard of.
    pub(super) fn whole(&self) -> Self {
        Self {
            bookkeeping: self.whole.clone(),
            shard: None,
            ..self.clone()
        }
    }

    pub(super) fn of(target: &OutputTarget) -> Self {
        // Two names of one output have one ledger, so that there is one owner.
        let name: PathBuf = target.path.components().collect();
        let place = match name.is_symlink() {
            true => destination(&name),
            false => target.path.clone(),
        };
        let whole = parts_beside(&OutputTarget {
            path: place,
            ..target.clone()
        });
        Self {
            bookkeeping: whole.clone(),
            whole,
            target: target.clone(),
            shard: None,
        }
    }

    /// What the output is.
    pub(super) fn target(&self) -> &OutputTarget {
        &self.target
    }

    /// The part of the records that this is about, if it is not all of them.
    pub(super) fn which_shard(&self) -> Option<Shard> {
        self.shard
    }

    /// Whether this is about a part of the records only.
    pub(super) fn is_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// Whether the parts are what is asked for, and stay when they are complete.
    pub(super) fn keeps_parts(&self) -> bool {
        self.is_folder() || self.is_shard()
    }

    /// The output: a file, or a folder of parts.
    pub(super) fn output(&self) -> &Path {
        &self.target.path
    }

    pub(super) fn is_folder(&self) -> bool {
        self.target.kind == OutputKind::Folder
    }

    /// The list of rejections at the end.
    pub(super) fn rejects(&self) -> PathBuf {
        rejects_beside(&self.target)
    }

    /// The files that lie beside the output at the end; `has_many` says whether a sequence has many vectors.
    pub(super) fn sidecars(&self, has_many: bool) -> Vec<PathBuf> {
        match self.is_folder() {
            true => Vec::new(),
            false => self.target.format.sidecars(self.output(), has_many),
        }
    }

    /// What a run leaves that is over, for those who look for it: the files that it published, or, of a
    /// shard, the folder of its parts.
    pub(super) fn published(&self) -> Published {
        match self.is_shard() {
            true => Published {
                output: Some(self.bookkeeping.clone()),
                rejects: None,
            },
            false => Published {
                output: Some(self.output().to_owned()),
                rejects: Some(self.rejects()).filter(|rejects| rejects.exists()),
            },
        }
    }

    /// The folder of the ledger.
    pub(super) fn bookkeeping(&self) -> &Path {
        &self.bookkeeping
    }

    /// The folder of the parts.
    pub(super) fn parts(&self) -> &Path {
        match self.target.kind {
            OutputKind::Folder if !self.is_shard() => &self.target.path,
            OutputKind::File | OutputKind::Folder => &self.bookkeeping,
        }
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.bookkeeping.join(LEDGER)
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.bookkeeping.join(LOCK)
    }

    pub(super) fn manifest(&self) -> PathBuf {
        self.bookkeeping.join(MANIFEST)
    }

    /// The name of the part that begins with this record.
    pub(super) fn part_name(&self, record: u64) -> String {
        let ending = OutputFormat::OF_PARTS.ending();
        format!("{PART}{record:0PART_DIGITS$}.{ending}")
    }

    /// The name of the rejections of the part that begins with this record.
    pub(super) fn part_rejects_name(record: u64) -> String {
        format!("{PART}{record:0PART_DIGITS$}.{REJECTS_ENDING}")
    }

    /// Whether a name is that of a part, or of a part's rejections.
    pub(super) fn is_part(&self, name: &str) -> bool {
        let Some((record, ending)) = name
            .strip_prefix(PART)
            .and_then(|rest| rest.split_once('.'))
        else {
            return false;
        };
        record.len() >= PART_DIGITS
            && record.bytes().all(|byte| byte.is_ascii_digit())
            && [OutputFormat::OF_PARTS.ending(), REJECTS_ENDING].contains(&ending)
    }

    /// Removes all that is kept of an output while it is made, but for the lock, and of parts those that
    /// `keep` does not name. What the owners before left half written goes, too, on whichever machine they
    /// were: they are dead. What others put there stays.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn discard(&self, keep: Option<&History>) -> Result<(), FileError> {
        let kept: BTreeSet<&str> = keep.map_or_else(BTreeSet::new, |history| {
            let commits = history.commits.iter();
            let files = commits.flat_map(|commit| [&commit.file, &commit.rejects]);
            files.flatten().map(|file| file.name.as_str()).collect()
        });
        if keep.is_none() {
            remove_if_there(&self.manifest())?;
        }
        if let Some(folder) = self.target.path.parent() {
            // Where killed processes left the list of rejections or the file itself.
            sweep_once(folder);
        }
        let folders = [self.bookkeeping(), self.parts()];
        for folder in folders {
            // What cannot be looked at may hold parts, and the ledger is what says whose they are.
            let refused = |error| FileError::io("read the folder", folder, error);
            let entries = match folder.read_dir() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(refused)?,
            };
            for entry in entries {
                let entry = entry.map_err(refused)?;
                let name = entry.file_name();
                let is_over = |name: &str| {
                    (self.is_part(name) && !kept.contains(name)) || is_temporary_of_others(name)
                };
                if name.to_str().is_some_and(is_over) {
                    remove_if_there(&entry.path())?;
                }
            }
        }
        if keep.is_none() {
            // The ledger last: parts without one are those of somebody else.
            remove_if_there(&self.ledger())?;
        }
        Ok(())
    }

    /// Whether anything is there that a ledger would be about.
    pub(super) fn has_parts(&self) -> bool {
        let has_part = |folder: &Path| {
            let entries = folder.read_dir().into_iter().flatten().flatten();
            let mut names = entries.map(|entry| entry.file_name());
            names.any(|name| name.to_str().is_some_and(|name| self.is_part(name)))
        };
        self.manifest().exists() || has_part(self.parts()) || has_part(&self.bookkeeping)
    }

    /// The output into whose folder, or into what is kept of it, this one would be written, where nothing
    /// else may lie: by its name, or where that leads, if it is a link.
    pub(super) fn host_folder(&self) -> Option<PathBuf> {
        let path = &self.target.path;
        let by_name = destination(path.parent()?);
        let behind_links = destination(path);
        let mut folders = [Some(by_name.as_path()), behind_links.parent()].into_iter();
        let host = folders.find(|folder| folder.is_some_and(|folder| self.is_host(folder)))?;
        host.map(Path::to_owned)
    }

    /// Whether nothing but an output lies in a folder, or nothing but what is kept of it.
    fn is_host(&self, folder: &Path) -> bool {
        let Some(name) = folder.file_name() else {
            return false;
        };
        let name = name.to_string_lossy();
        let beside = parts_beside(&OutputTarget {
            path: folder.to_owned(),
            format: self.target.format,
            kind: OutputKind::Folder,
        });
        let is_kept = [OutputKind::File, OutputKind::Folder]
            .iter()
            .any(|kind| name.ends_with(kind.kept_ending()));
        is_bookkeeping(&beside)
            || (is_kept && is_bookkeeping(folder))
            || (Shard::of_folder_name(&name).is_some() && folder.join(LEDGER).is_file())
    }

    /// Removes the folder of the ledger if nothing is in it, and that of the parts, too, if this process
    /// has made it.
    pub(super) fn remove_empty_folders(&self, has_made_parts: bool) {
        // A folder that is left over is in nobody's way, and others may have put files into it.
        let _ = fs::remove_dir(&self.bookkeeping);
        if self.is_shard() {
            let _ = fs::remove_dir(&self.whole);
        } else if self.is_folder() && has_made_parts {
            let _ = fs::remove_dir(&self.target.path);
        }
    }

    /// The first file that is in the way: one that is not of this program, where it keeps its own.
    pub(super) fn foreign_file(&self) -> Option<PathBuf> {
        let foreign = |folder: &Path, is_ours: &dyn Fn(&str) -> bool| {
            let entries = folder.read_dir().ok()?.flatten();
            let mut names = entries.map(|entry| entry.file_name());
            let is_foreign = |name: &OsString| {
                !name
                    .to_str()
                    .is_some_and(|name| is_temporary(name) || is_ours(name))
            };
            names.find(is_foreign).map(|name| folder.join(name))
        };
        // Without a ledger, parts are those of somebody else, and so is whatever else has such a name. A
        // process that has just begun, or was about to end, has left its lock.
        let has_ledger = fs::symlink_metadata(self.ledger()).is_ok_and(|found| found.is_file());
        let is_part = |name: &str| has_ledger && self.is_part(name);
        let in_parts = match self.is_folder() && !self.is_shard() {
            true => foreign(self.parts(), &is_part),
            false => None,
        };
        let is_ours = |name: &str| {
            name == LOCK
                || is_part(name)
                || (has_ledger && BOOKKEEPING.contains(&name))
                || (!self.is_shard() && Shard::of_folder_name(name).is_some())
        };
        in_parts.or_else(|| foreign(&self.bookkeeping, &is_ours))
    }
}

/// Whether a folder has a ledger, or shards.
fn is_bookkeeping(folder: &Path) -> bool {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| {
        let is_shard = |name: &str| Shard::of_folder_name(name).is_some();
        name == LEDGER || name.to_str().is_some_and(is_shard)
    })
}

/// Removes a file, if it is there.
fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}
