//! A blob on its way to its name.

use crate::{
    file::{FileError, host_name, sync_folder},
    hub::{error::HubError, remote::Content},
};
use nix::libc;
use sha2::{Digest, Sha256};
use std::{
    ffi::OsStr,
    fmt::Write,
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
    time::{Duration, Instant, SystemTime},
};

/// What the names of files end with that are not whole, here and in `huggingface_hub`.
const SUFFIX: &str = ".incomplete";
/// Whoever writes to a file does so more often than this.
const IDLE: Duration = Duration::from_secs(60);
/// How long nothing may be written to a file until its time is set all the same.
pub(super) const KEEP: Duration = Duration::from_secs(IDLE.as_secs() / 2);
/// Bytes that are hashed at a time.
const HASHED_BYTES: usize = 1 << 20;

/// A blob on its way to its name: the first bytes of what a file holds, in a file beside it. What somebody else
/// left of the same blob is gone on with.
///
/// Bytes are written at their places, never just at the end, so that even two who wrote to one file, because
/// locks do not work where the cache is, would write the same.
#[derive(Debug)]
pub(super) struct Partial {
    blob: PathBuf,
    path: PathBuf,
    file: File,
    content: Content,
    hasher: Sha256,
    n_bytes: u64,
    /// When others were last told that somebody has it.
    kept: Instant,
}

/// Whether a blob is what it should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finished {
    /// It has its name.
    Whole,
    /// It is not, for this reason.
    Damaged(String),
}

impl Partial {
    /// What is there of a blob, or nothing yet. Whoever has the lock has it alone, if locks work here at all.
    /// `on_read` is called while what is there is read.
    ///
    /// # Errors
    /// If the file system refuses, or `on_read` does.
    pub(super) fn open(
        blob: &Path,
        content: &Content,
        n_bytes: u64,
        is_alone: bool,
        on_read: &mut dyn FnMut() -> Result<(), HubError>,
    ) -> Result<Self, HubError> {
        let path = own_path(blob, is_alone);
        // Only a hash tells whether the first bytes of a stranger are the right ones.
        let is_checked = matches!(content, Content::Sha256(_));
        let own_bytes = ordinary_bytes(&path).unwrap_or(0);
        if is_checked
            && let Some((other, other_bytes)) = largest(&leftovers(blob))
            && (own_bytes..=n_bytes).contains(&other_bytes)
        {
            // It may be gone meanwhile.
            let _ = fs::rename(other, &path);
        }
        let failed = |error| FileError::io("write", &path, error);
        if !is_checked || ordinary_bytes(&path).is_none() {
            remove_name(&path).map_err(failed)?;
        }
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let options = options.custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(failed)?;
        let mut partial = Self {
            blob: blob.to_owned(),
            path,
            file,
            content: content.clone(),
            hasher: Sha256::new(),
            n_bytes: 0,
            kept: Instant::now(),
        };
        partial.set_time();
        partial.read(n_bytes, on_read)?;
        Ok(partial)
    }

    /// How much is there.
    pub(super) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.n_bytes)?;
        self.hasher.update(bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Tells others that somebody has it, if nothing may have been written for a while: they would take it.
    pub(super) fn keep(&mut self) {
        if self.kept.elapsed() >= KEEP {
            self.set_time();
        }
    }

    fn set_time(&mut self) {
        self.kept = Instant::now();
        // Where that cannot be done, it can only come to be fetched twice.
        let _ = self.file.set_modified(SystemTime::now());
    }

    /// Forgets all that is there, in a new file: the old one may be somebody else's by now.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn restart(&mut self) -> Result<(), HubError> {
        self.hasher = Sha256::new();
        self.n_bytes = 0;
        let failed = |error| FileError::io("write", &self.path, error);
        remove_name(&self.path).map_err(failed)?;
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        self.file = options.open(&self.path).map_err(failed)?;
        Ok(())
    }

    /// Gives the blob its name, if it is what it should be. Else all of it is forgotten.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn finish(&mut self) -> Result<Finished, HubError> {
        if let Content::Sha256(expected) = &self.content {
            let mut found = String::new();
            for byte in self.hasher.clone().finalize() {
                let _ = write!(found, "{byte:02x}");
            }
            if found != *expected {
                let reason = format!("its SHA-256 is {found}, not {expected}");
                self.restart()?;
                return Ok(Finished::Damaged(reason));
            }
        }
        let failed = |error| FileError::io("write", &self.path, error);
        self.file.set_len(self.n_bytes).map_err(failed)?;
        self.file.sync_all().map_err(failed)?;
        match fs::rename(&self.path, &self.blob) {
            Ok(()) => {}
            // Somebody else was here, where locks do not work, and has finished it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.blob.exists() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.restart()?;
                let reason = "another machine has taken what was there of it".to_owned();
                return Ok(Finished::Damaged(reason));
            }
            Err(error) => return Err(FileError::io("publish", &self.blob, error).into()),
        }
        sync_folder(&self.blob);
        for (path, _) in leftovers(&self.blob) {
            let _ = fs::remove_file(path);
        }
        Ok(Finished::Whole)
    }

    /// Whether it is text of JSON.
    pub(super) fn is_json(&self) -> bool {
        let mut bytes = vec![0; usize::try_from(self.n_bytes).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, 0).is_ok()
            && serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok()
    }

    /// Removes the file.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Reads what is there, up to what can be right.
    fn read(
        &mut self,
        most_bytes: u64,
        on_read: &mut dyn FnMut() -> Result<(), HubError>,
    ) -> Result<(), HubError> {
        let path = self.path.clone();
        let failed = |error| FileError::io("read", &path, error);
        let there = self.file.metadata().map_err(failed)?.len();
        if there > most_bytes {
            return self.restart();
        }
        let mut buffer = vec![0; HASHED_BYTES];
        while self.n_bytes < there {
            let n_bytes = self
                .file
                .read_at(&mut buffer, self.n_bytes)
                .map_err(failed)?;
            if n_bytes == 0 {
                break;
            }
            self.hasher.update(&buffer[..n_bytes]);
            self.n_bytes += n_bytes as u64;
            self.keep();
            on_read()?;
        }
        Ok(())
    }
}

/// How much of a blob is there that a download would go on with.
pub(super) fn n_bytes_there(blob: &Path, content: &Content, n_bytes: u64) -> u64 {
    let own = ordinary_bytes(&own_path(blob, true)).unwrap_or(0);
    let other = largest(&leftovers(blob)).map_or(0, |(_, n_bytes)| n_bytes);
    match content {
        Content::Sha256(_) => own.max(other).min(n_bytes),
        Content::Git(_) => 0,
    }
}

/// The size of a file that has this name and no other one. What a link leads to is somebody's who wants to keep it.
fn ordinary_bytes(path: &Path) -> Option<u64> {
    let found = path.symlink_metadata().ok()?;
    (found.is_file() && found.nlink() <= 1).then_some(found.len())
}

/// Takes a name from whatever has it.
fn remove_name(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The file of this machine, as locks of some file systems exclude only those of the same machine; or that of
/// this process, where they exclude nobody.
fn own_path(blob: &Path, is_alone: bool) -> PathBuf {
    let hash = Sha256::digest(host_name());
    let mut name = blob.file_name().unwrap_or_default().to_owned();
    name.push(format!(
        ".{:02x}{:02x}{:02x}{:02x}",
        hash[0], hash[1], hash[2], hash[3]
    ));
    if !is_alone {
        name.push(format!("-{}", process::id()));
    }
    name.push(SUFFIX);
    blob.with_file_name(name)
}

/// What others left of a blob who have not written to it for a while: `huggingface_hub` and other machines.
/// Also what this machine left, which is no longer there when the blob is.
fn leftovers(blob: &Path) -> Vec<(PathBuf, u64)> {
    let Some(folder) = blob.parent() else {
        return Vec::new();
    };
    let begins = format!("{}.", blob.file_name().unwrap_or_default().display());
    let is_of_blob = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with(&begins) && name.ends_with(SUFFIX)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| is_of_blob(&entry.file_name()))
        .filter_map(|entry| {
            let found = entry.metadata().ok().filter(|found| found.is_file())?;
            let age = SystemTime::now()
                .duration_since(found.modified().ok()?)
                .ok()?;
            (age >= IDLE).then(|| (entry.path(), found.len()))
        })
        .collect()
}

fn largest(leftovers: &[(PathBuf, u64)]) -> Option<(&Path, u64)> {
    let largest = leftovers.iter().max_by_key(|(_, n_bytes)| *n_bytes)?;
    Some((&largest.0, largest.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(blob: &Path, content: &Content, n_bytes: u64, is_alone: bool) -> Partial {
        Partial::open(blob, content, n_bytes, is_alone, &mut || Ok(())).unwrap()
    }

    #[test]
    fn a_blob_has_its_name_when_it_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let content = Content::Sha256(hash.to_owned());
        let blob = folder.path().join(hash);
        let mut partial = open(&blob, &content, 5, true);
        partial.add(b"hell").unwrap();
        drop(partial);
        // What is there counts.
        assert_eq!(n_bytes_there(&blob, &content, 5), 4);
        let mut partial = open(&blob, &content, 5, true);
        assert_eq!(partial.n_bytes(), 4);
        partial.add(b"a").unwrap();
        assert!(matches!(partial.finish().unwrap(), Finished::Damaged(_)));
        assert_eq!((partial.n_bytes(), blob.exists()), (0, false));
        partial.add(b"hello").unwrap();
        assert_eq!(partial.finish().unwrap(), Finished::Whole);
        assert_eq!(fs::read(&blob).unwrap(), b"hello");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_links_lead_to_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let precious = folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let links: [fn(&Path, &Path) -> io::Result<()>; 2] = [
            |from, to| std::os::unix::fs::symlink(from, to),
            |from, to| fs::hard_link(from, to),
        ];
        for content in [
            Content::Sha256(format!("{:064}", 0)),
            Content::Git("a".repeat(40)),
        ] {
            for link in links {
                let blob = folder.path().join(content.name());
                link(&precious, &own_path(&blob, true)).unwrap();
                assert_eq!(n_bytes_there(&blob, &content, 100), 0);
                let mut partial = open(&blob, &content, 100, true);
                partial.add(b"x").unwrap();
                assert_eq!(partial.n_bytes(), 1);
                assert_eq!(fs::read(&precious).unwrap(), b"precious");
                partial.remove();
            }
        }
    }

    #[test]
    fn where_locks_do_not_work_everybody_has_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::Git("a".repeat(40));
        let blob = folder.path().join(content.name());
        let (mut one, mut other) = (
            open(&blob, &content, 1, true),
            open(&blob, &content, 1, false),
        );
        for partial in [&mut one, &mut other] {
            partial.add(b"x").unwrap();
            assert_eq!(partial.finish().unwrap(), Finished::Whole);
            assert_eq!(fs::read(&blob).unwrap(), b"x");
        }
        // Its file was given the name of the blob by somebody else.
        assert_eq!(one.finish().unwrap(), Finished::Whole);
        // A file of git is begun anew, as nobody could tell whether what is there is right.
        let mut partial = open(&blob, &content, 2, true);
        partial.add(b"x").unwrap();
        drop(partial);
        assert_eq!(open(&blob, &content, 2, true).n_bytes(), 0);
    }

    #[test]
    fn whoever_takes_a_file_has_it_for_himself() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::Sha256(format!("{:064}", 0));
        let blob = folder.path().join(content.name());
        let mut partial = open(&blob, &content, 3, true);
        partial.add(b"abc").unwrap();
        let taken = folder.path().join("taken");
        fs::rename(&partial.path, &taken).unwrap();
        partial.restart().unwrap();
        partial.add(b"x").unwrap();
        assert_eq!(fs::read(&taken).unwrap(), b"abc");
        assert_eq!(fs::read(&partial.path).unwrap(), b"x");
        // At the end it is noticed.
        let content = Content::Git("a".repeat(40));
        let blob = folder.path().join(content.name());
        let mut partial = open(&blob, &content, 1, true);
        partial.add(b"x").unwrap();
        fs::rename(&partial.path, &taken).unwrap();
        assert!(matches!(partial.finish().unwrap(), Finished::Damaged(_)));
        partial.add(b"x").unwrap();
        assert_eq!(partial.finish().unwrap(), Finished::Whole);
    }

    #[test]
    fn nobody_takes_a_file_that_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::Sha256(format!("{:064}", 0));
        let blob = folder.path().join(content.name());
        let mut partial = open(&blob, &content, 3, true);
        let make_old = |file: &File| {
            file.set_modified(SystemTime::now() - 2 * IDLE).unwrap();
        };
        make_old(&partial.file);
        partial.kept = Instant::now().checked_sub(KEEP).unwrap();
        assert_eq!(leftovers(&blob).len(), 1);
        partial.keep();
        assert_eq!(leftovers(&blob), []);
        // What is read before it is gone on with is nobody else's, too.
        make_old(&partial.file);
        drop(partial);
        let _partial = open(&blob, &content, 3, true);
        assert_eq!(leftovers(&blob), []);
    }
}
