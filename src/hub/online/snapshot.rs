//! What is written into the folder of a repository beside blobs: the files of a commit, and branches.

use crate::{
    file::{Existing, FileError, Keep, Staged},
    hub::{
        cache::Folder, environment::read_short, error::HubError, remote::Content,
        repository::is_commit,
    },
};
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::symlink,
    path::Path,
    process,
};

/// What tells tools for backups that a folder can be had again.
const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # Models of the Hugging Face Hub, which can be fetched again.\n";

/// How a file of a snapshot comes to what is in its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As a link by name, which is the usual way.
    Symlink,
    /// As a second name of the same file.
    Link,
    /// As the blob itself, which then has no other name: some file systems have no links at all.
    Move,
}

/// All ways, the best first.
pub(super) const WAYS: &[Way] = &[Way::Symlink, Way::Link, Way::Move];
/// Those that lead to no links by name.
pub(super) const WAYS_WITHOUT_SYMLINKS: &[Way] = &[Way::Link, Way::Move];

/// Makes the folders that something is to come into.
///
/// # Errors
/// If the file system refuses.
pub(super) fn create_folders(folder: &Folder, commit: &str) -> Result<(), HubError> {
    for path in [folder.blobs(), folder.snapshot(commit).folder] {
        let made = fs::create_dir_all(&path);
        made.map_err(|error| FileError::io("create the folder", &path, error))?;
    }
    let tag = folder.cache().join("CACHEDIR.TAG");
    // Whatever has the name stays. Nothing is lost but a hint.
    if let Ok(mut file) = File::create_new(tag) {
        let _ = file.write_all(TAG.as_bytes());
    }
    Ok(())
}

/// Gives the file of a commit what is in its blob.
///
/// # Errors
/// If the file system refuses every way.
pub(super) fn place(
    folder: &Folder,
    commit: &str,
    name: &str,
    content: &Content,
    ways: &[Way],
) -> Result<(), HubError> {
    let blob = folder.blob(content);
    let path = folder.snapshot(commit).folder.join(name);
    // Whoever has the lock is alone with it; where there are no locks, the number is its own.
    let beside = blob.with_file_name(format!("{}.link-{}", content.name(), process::id()));
    let failed = |error| FileError::io("write", &path, error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for way in ways {
        let tried = match way {
            Way::Symlink => {
                // From the folder of the file over that of the commit and that of all snapshots.
                let up = "../".repeat(name.split('/').count() + 1);
                let target = format!("{up}blobs/{}", content.name());
                in_place_of(&path, &beside, |at| symlink(&target, at))
            }
            Way::Link => in_place_of(&path, &beside, |at| fs::hard_link(&blob, at)),
            Way::Move => fs::rename(&blob, &path),
        };
        match tried {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(failed(last).into())
}

/// Notes at which commit a branch or a tag is.
///
/// # Errors
/// If the file system refuses.
pub(super) fn note(folder: &Folder, revision: &str, commit: &str) -> Result<(), HubError> {
    let path = folder.reference(revision);
    if is_commit(revision) || read_short(&path).is_some_and(|noted| noted == commit) {
        return Ok(());
    }
    let failed = |error| FileError::io("write", &path, error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    // Whatever lies beside it is taken for another branch.
    let staged = Staged::create_in(&folder.blobs(), &path, Existing::IsReplaced)?;
    let written = staged.writer()?.write_all(commit.as_bytes());
    written.map_err(failed)?;
    staged.publish(Keep::Safely)?;
    Ok(())
}

/// Makes a name. What may be there is replaced at once, as others may be about to open it: the name is made
/// `beside` it first.
fn in_place_of(
    path: &Path,
    beside: &Path,
    make: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    // One that was killed may have left it.
    let _ = fs::remove_file(beside);
    make(beside)?;
    let renamed = fs::rename(beside, path);
    // Two names of the same file both stay.
    let _ = fs::remove_file(beside);
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::repository::Repository;

    #[test]
    fn files_are_had_in_any_way() {
        let cache = tempfile::tempdir().unwrap();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        let folder = Folder::of(cache.path(), &repository);
        let (commit, content) = ("c".repeat(40), Content::Git("a".repeat(40)));
        create_folders(&folder, &commit).unwrap();
        let path = |name: &str| folder.snapshot(&commit).folder.join(name);
        for (name, way) in [
            ("a", Way::Symlink),
            ("b/c/d", Way::Symlink),
            ("e", Way::Link),
            ("a", Way::Move),
        ] {
            fs::write(folder.blob(&content), "text").unwrap();
            // What was there before is replaced.
            for _ in 0..2 {
                place(&folder, &commit, name, &content, &[way]).unwrap();
                assert_eq!(fs::read_to_string(path(name)).unwrap(), "text", "{name}");
                if way == Way::Move {
                    assert!(!folder.blob(&content).exists());
                    break;
                }
            }
        }
        assert_eq!(fs::read_dir(folder.blobs()).unwrap().count(), 0);
        let target = fs::read_link(path("b/c/d")).unwrap();
        let expect = format!("../../../../blobs/{}", content.name());
        assert_eq!(target, Path::new(&expect));
        assert!(!path("e").is_symlink() && !path("a").is_symlink());
        // The next way is taken where one is closed.
        place(&folder, &commit, "f", &content, WAYS).unwrap();
        assert!(place(&folder, &commit, "g", &content, WAYS_WITHOUT_SYMLINKS).is_err());
    }

    #[test]
    fn no_file_is_made_where_a_link_leads() {
        let cache = tempfile::tempdir().unwrap();
        let elsewhere = cache.path().join("elsewhere");
        symlink(&elsewhere, cache.path().join("CACHEDIR.TAG")).unwrap();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        create_folders(&Folder::of(cache.path(), &repository), "c1").unwrap();
        assert!(!elsewhere.exists());
    }

    #[test]
    fn branches_are_noted_and_commits_are_not() {
        let cache = tempfile::tempdir().unwrap();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        let folder = Folder::of(cache.path(), &repository);
        for commit in ["c".repeat(40), "d".repeat(40)] {
            create_folders(&folder, &commit).unwrap();
            for revision in ["main", "refs/pr/1", &commit] {
                note(&folder, revision, &commit).unwrap();
                assert_eq!(folder.cached(revision).unwrap().commit, commit);
            }
            assert!(!folder.reference(&commit).exists());
        }
        assert_eq!(fs::read_dir(folder.blobs()).unwrap().count(), 0);
    }
}
