//! Files and folders that must not outlive the program.

use super::FileError;
use std::{
    collections::BTreeSet,
    env, fs, io, mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    thread,
    time::{Duration, Instant},
};

/// What this process has made and will remove.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How long [`remove_temporary`] waits for a thread that is just making something.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a folder is emptied into which another thread writes.
const MOST_TRIES: usize = 5;

/// A path stands in the list of what must not outlive the program until this is dropped.
#[derive(Debug)]
pub(super) struct Registration(PathBuf);

impl Drop for Registration {
    fn drop(&mut self) {
        live().remove(&self.0);
    }
}

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes something temporary and puts its path on the list, in one step: what is made meanwhile cannot
/// escape [`remove_temporary`].
pub(super) fn register<T>(
    make: impl FnOnce() -> io::Result<T>,
    path: impl FnOnce(&T) -> &Path,
) -> io::Result<(T, Registration)> {
    let mut live = live();
    let made = make()?;
    let path = path(&made).to_owned();
    live.insert(path.clone());
    Ok((made, Registration(path)))
}

/// Removes every temporary file and folder of this process, which must end right after: whoever wants
/// to make another one waits for ever.
pub fn remove_temporary() {
    let deadline = Instant::now() + PATIENCE;
    let live = loop {
        match LIVE.try_lock() {
            Ok(live) => break live,
            Err(TryLockError::Poisoned(live)) => break live.into_inner(),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => return,
        }
    };
    for path in &*live {
        for _ in 0..MOST_TRIES {
            let removed = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
            if removed.is_ok() || !path.exists() {
                break;
            }
        }
    }
    mem::forget(live);
}

/// Where the system keeps temporary files. A variable that is empty counts as not set.
pub fn temporary_place() -> PathBuf {
    let place = env::temp_dir();
    match place.as_os_str().is_empty() {
        true => "/tmp".into(),
        false => place,
    }
}

/// A folder that is removed with all that is in it when this is dropped, or the program is ended.
#[derive(Debug)]
pub struct TemporaryFolder {
    // Before its registration, so that it is on the list as long as it is there.
    folder: tempfile::TempDir,
    _registration: Registration,
}

impl TemporaryFolder {
    /// An empty folder where the system keeps temporary files.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn new() -> Result<Self, FileError> {
        let place = temporary_place();
        let make = || {
            tempfile::Builder::new()
                .prefix("runner-")
                .tempdir_in(&place)
        };
        let (folder, registration) = register(make, tempfile::TempDir::path)
            .map_err(|error| FileError::io("create a temporary folder in", &place, error))?;
        Ok(Self {
            folder,
            _registration: registration,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_the_list_while_it_lives() {
        let folder = TemporaryFolder::new().unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("a.txt"), "a").unwrap();
        assert!(live().contains(&path));
        drop(folder);
        assert!(!live().contains(&path));
        assert!(!path.exists());
    }
}
