//! Looks whether the parts of an output are as they were, while the work goes on.

use super::{
    SinkError,
    ledger::{Commit, History, PartFile},
    place::Place,
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often a waiting run looks whether it is to go on.
const PATIENCE: Duration = Duration::from_millis(20);

/// A thread that reads parts and compares their hashes with those in the ledger.
pub(super) struct Verifier {
    thread: Option<JoinHandle<Result<Vec<u64>, SinkError>>>,
    /// Nobody wants to know any more.
    is_over: Arc<AtomicBool>,
}

impl Verifier {
    /// Begins to read the parts of a history.
    pub(super) fn start(history: &History, place: &Place) -> Self {
        let files: Vec<_> = history
            .commits
            .iter()
            .map(|commit| (commit.from, files_of(commit, place)))
            .collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let verify = move || {
            let wanted = files
                .into_iter()
                .take_while(|_| !over.load(Ordering::Relaxed));
            let mut damaged = Vec::new();
            for (from, files) in wanted {
                if !are_all(&files, is_as_it_was)? {
                    damaged.push(from);
                }
            }
            Ok(damaged)
        };
        // Without a thread nothing is looked at, and `verify` still finds what is damaged.
        let thread = thread::Builder::new()
            .name("verifying".to_owned())
            .spawn(verify)
            .ok();
        Self { thread, is_over }
    }

    /// The first records of damaged parts, when all have been looked at. Nothing, if `give_up` says before
    /// that nobody waits any more.
    ///
    /// # Errors
    /// If a part cannot be read, so that nobody knows whether it is damaged.
    pub(super) fn damaged(
        mut self,
        give_up: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<u64>>, SinkError> {
        let is_going = |thread: &JoinHandle<_>| !thread.is_finished();
        while self.thread.as_ref().is_some_and(is_going) {
            if give_up() {
                return Ok(None);
            }
            thread::sleep(PATIENCE);
        }
        let ended = self.thread.take().map(JoinHandle::join);
        match ended.and_then(Result::ok) {
            Some(damaged) => damaged.map(Some),
            None => Ok(Some(Vec::new())),
        }
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The first records of commits whose files are missing or have another size, which is seen at once.
///
/// # Errors
/// If nobody can tell.
pub(super) fn lost(history: &History, place: &Place) -> Result<Vec<u64>, SinkError> {
    let mut lost = Vec::new();
    for commit in &history.commits {
        if !are_all(&files_of(commit, place), has_its_size)? {
            lost.push(commit.from);
        }
    }
    Ok(lost)
}

/// Whether all files of a commit are as `is_good` says.
fn are_all(
    files: &[(PathBuf, PartFile)],
    is_good: fn(&Path, &PartFile) -> Result<bool, SinkError>,
) -> Result<bool, SinkError> {
    for (path, part) in files {
        if !is_good(path, part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a file is there and has the size that it had.
///
/// # Errors
/// If nobody can tell: what cannot be looked at may be there, and as it was, another time.
pub(super) fn has_its_size(path: &Path, part: &PartFile) -> Result<bool, SinkError> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.is_file() && found.len() == part.bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(SinkError::io("read", path, error)),
    }
}

/// The files of a commit, and what they were.
pub(super) fn files_of(commit: &Commit, place: &Place) -> Vec<(PathBuf, PartFile)> {
    let in_folder = |folder: &Path, file: &Option<PartFile>| {
        file.as_ref()
            .map(|file| (folder.join(&file.name), file.clone()))
    };
    [
        in_folder(place.parts(), &commit.file),
        in_folder(place.bookkeeping(), &commit.rejects),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether a file is there and has the hash that it had.
///
/// # Errors
/// If it cannot be read: that does not make it a damaged one.
pub(super) fn is_as_it_was(path: &Path, part: &PartFile) -> Result<bool, SinkError> {
    match is_unchanged(path, part) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        read => read.map_err(|error| SinkError::io("read", path, error)),
    }
}

/// Whether a file has the hash that it had.
///
/// # Errors
/// If it cannot be read.
pub(super) fn is_unchanged(path: &Path, part: &PartFile) -> io::Result<bool> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().to_hex().as_str() == part.blake3)
}
