//! Looks whether the parts of an output are as they were, while the work goes on.

use super::{
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
    thread: Option<JoinHandle<Vec<u64>>>,
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
            let damaged = wanted.filter(|(_, files)| {
                let is_good = |(path, part): &(PathBuf, PartFile)| is_as_it_was(path, part);
                !files.iter().all(is_good)
            });
            damaged.map(|(from, _)| from).collect()
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
    pub(super) fn damaged(mut self, give_up: &dyn Fn() -> bool) -> Option<Vec<u64>> {
        let is_going = |thread: &JoinHandle<_>| !thread.is_finished();
        while self.thread.as_ref().is_some_and(is_going) {
            if give_up() {
                return None;
            }
            thread::sleep(PATIENCE);
        }
        let ended = self.thread.take().map(JoinHandle::join);
        Some(ended.and_then(Result::ok).unwrap_or_default())
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// The first records of commits whose files are missing or have another size, which is seen at once.
pub(super) fn lost(history: &History, place: &Place) -> Vec<u64> {
    let is_there = |(path, part): &(PathBuf, PartFile)| {
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == part.bytes)
    };
    let lost = history
        .commits
        .iter()
        .filter(|commit| !files_of(commit, place).iter().all(is_there));
    lost.map(|commit| commit.from).collect()
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

/// Whether a file can be read and has the hash that it had.
pub(super) fn is_as_it_was(path: &Path, part: &PartFile) -> bool {
    is_unchanged(path, part).unwrap_or(false)
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
