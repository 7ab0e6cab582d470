//! Temporary files that dead processes left behind.

use super::process::host_name;
use nix::fcntl::OFlag;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process,
    sync::{Mutex, PoisonError},
};

/// What the name of a temporary file begins and ends with.
const PREFIX: &str = ".runner-";
pub(super) const SUFFIX: &str = ".partial";
/// Folders that were swept.
static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What the names of this process's temporary files begin with: `.runner-<host>-<pid>-`.
pub(super) fn prefix() -> String {
    format!("{PREFIX}{}-{}-", host_name(), process::id())
}

/// Removes the temporary files in `folder` whose processes are dead. Where that is not certain they
/// stay, for they cost space and nothing else. It is done once for each folder: some files are replaced
/// many times a second.
pub fn sweep_once(folder: &Path) {
    let is_first = SWEPT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(folder.to_owned());
    // Without the lock: a folder may be slow, and others need not wait for it.
    if is_first {
        sweep(folder);
    }
}

/// As [`sweep_once`], each time.
fn sweep(folder: &Path) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(is_of_this_host);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            remove_if_dead(&entry.path());
        }
    }
}

/// Removes the temporary folders in `folder` whose processes are dead, with all that is in them.
pub(super) fn sweep_folders(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(is_of_this_host);
        if is_ours
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Ok(opened) = File::open(entry.path())
            && opened.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether a name is that of a temporary file of this program.
pub fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Whether a name is that of a temporary file that another process made.
pub fn is_temporary_of_others(name: &str) -> bool {
    is_temporary(name) && !name.starts_with(&prefix())
}

/// Whether a name is that of a temporary file, and not of one from another machine. A file system that
/// several machines share may keep the locks of each of them to itself.
fn is_of_this_host(name: &str) -> bool {
    let Some(middle) = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX))
    else {
        return false;
    };
    let mut parts = middle.rsplitn(3, '-').skip(1);
    match (parts.next(), parts.next()) {
        (Some(pid), Some(host)) if pid.parse::<u32>().is_ok() => host == host_name(),
        _ => true,
    }
}

/// Removes a file that nobody holds the lock of. Its process holds it as long as it lives, and the
/// system gives it back when it dies, however that happens.
fn remove_if_dead(path: &Path) {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let opened = File::options()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path);
    if let Ok(file) = opened
        && file.try_lock().is_ok()
    {
        // While the lock is held: whoever has just made this file finds out that it is gone.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_of_this_host_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let dead = format!("{PREFIX}{}-1-abc{SUFFIX}", host_name());
        let living = format!("{PREFIX}{}-1-def{SUFFIX}", host_name());
        let foreign = format!("{PREFIX}not-{}-1-abc{SUFFIX}", host_name());
        let others = [".runner-notes.txt", "a.partial", "runner-a.partial"];
        let names = [&dead, &living, &foreign, ".runner-old.partial"];
        for name in names.into_iter().chain(others) {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at(".runner-folder.partial")).unwrap();
        let lock = File::open(at(&living)).unwrap();
        lock.try_lock().unwrap();
        sweep(folder.path());
        let stays = |name: &str| at(name).exists();
        assert!(!stays(&dead) && !stays(".runner-old.partial"));
        assert!(stays(&living) && stays(&foreign) && stays(".runner-folder.partial"));
        assert!(others.into_iter().all(stays));
        drop(lock);
        sweep(folder.path());
        assert!(!stays(&living));
    }
}
