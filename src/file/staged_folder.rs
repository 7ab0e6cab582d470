//! A folder that has a temporary name until it is complete.

use super::{
    Existing, FileError, create_folder,
    destination::behind_links,
    kept::{is_kept, make_kept},
    stale,
    target::{folder_of, sync_folder},
    temporary::Registration,
};
use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Rights of a new folder, which the umask reduces.
const NEW_FOLDER_MODE: u32 = 0o777;

/// A folder on its way to its name, beside the place that it will have. Dropping it removes it with all that
/// is in it, and so does the end of the program by a signal; what SIGKILL or a power cut leave, the next one
/// that is made beside it removes.
#[derive(Debug)]
pub struct StagedFolder {
    target: PathBuf,
    /// Where `target` leads, if it is a link.
    destination: PathBuf,
    // Before its registration, so that it is on the list as long as it is there.
    folder: TempDir,
    _registration: Registration,
    /// Tells others that this process lives.
    _lock: Option<File>,
}

impl StagedFolder {
    /// An empty folder that [`publish`](Self::publish) will name `target`. Missing folders that `target` is in are
    /// created, and stay.
    ///
    /// # Errors
    /// As [`check_folder`], and if the folder cannot be created.
    pub fn create(target: &Path, existing: Existing) -> Result<Self, FileError> {
        check_folder(target, existing)?;
        let destination = behind_links(target)?;
        let parent = folder_of(&destination);
        create_folder(parent)?;
        stale::sweep_folders(parent);
        let keep = |folder: &TempDir| File::open(folder.path()).ok().filter(is_kept);
        let (folder, lock, registration) = make_kept(|| temporary_in(parent), TempDir::path, keep)
            .map_err(|error| FileError::io("create a folder in", parent, error))?;
        Ok(Self {
            target: target.to_owned(),
            destination,
            folder,
            _registration: registration,
            _lock: lock,
        })
    }

    /// Where the folder is until it has its name.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name. One that has it and is to be replaced is removed as a whole, and an empty
    /// one always is. The files must be on the disk.
    ///
    /// # Errors
    /// - If something else came into being under that name meanwhile.
    /// - If the file system refuses.
    pub fn publish(self, existing: Existing) -> Result<(), FileError> {
        let Self {
            target,
            destination,
            folder,
            _registration,
            _lock,
        } = self;
        let failed = |error| FileError::io("publish", &target, error);
        // Some file systems cannot sync a folder, which is no reason to fail.
        let _ = File::open(folder.path()).and_then(|folder| folder.sync_all());
        check_folder(&target, existing)?;
        if is_empty_or_missing(&destination) {
            // The kernel lets the name of an empty folder be taken, and no other.
            match fs::rename(folder.path(), &destination) {
                Ok(()) => drop(folder.keep()),
                Err(error) => {
                    return Err(match error.kind() {
                        io::ErrorKind::DirectoryNotEmpty
                        | io::ErrorKind::AlreadyExists
                        | io::ErrorKind::NotADirectory => FileError::Exists(target),
                        _ => failed(error),
                    });
                }
            }
        } else if exchange(folder.path(), &destination).is_err() {
            move_aside(folder, &destination).map_err(failed)?;
        }
        sync_folder(&destination);
        Ok(())
    }
}

/// Checks that a folder may be made as `target`.
///
/// # Errors
/// - If there is anything of that name but an empty folder, unless it is a folder and to be replaced.
/// - If the path has no name, or the file system refuses.
pub fn check_folder(target: &Path, existing: Existing) -> Result<(), FileError> {
    if target.file_name().is_none() {
        return Err(FileError::Exists(target.to_owned()));
    }
    match target.metadata() {
        Ok(found) if !found.is_dir() => Err(FileError::Exists(target.to_owned())),
        Ok(_) if existing == Existing::IsReplaced || is_empty_or_missing(target) => Ok(()),
        Ok(_) => Err(FileError::Exists(target.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::io("write", target, error)),
    }
}

fn is_empty_or_missing(folder: &Path) -> bool {
    match folder.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn temporary_in(folder: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&stale::prefix())
        .suffix(stale::SUFFIX)
        // Temporary folders are private by default; the umask decides about this one.
        .permissions(Permissions::from_mode(NEW_FOLDER_MODE))
        .tempdir_in(folder)
}

/// Has two folders change their names in one step, after which the old one is that which is removed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
    let flags = RenameFlags::RENAME_EXCHANGE;
    Ok(renameat2(AT_FDCWD, new, AT_FDCWD, old, flags)?)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Replaces a folder where the file system cannot exchange names: for a moment there is none.
fn move_aside(new: TempDir, old: &Path) -> io::Result<()> {
    let aside = temporary_in(folder_of(old))?;
    fs::rename(old, aside.path())?;
    if let Err(error) = fs::rename(new.path(), old) {
        fs::rename(aside.keep(), old)?;
        return Err(error);
    }
    drop(new.keep());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = folder.read_dir().unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn staged(target: &Path, file: &str, existing: Existing) -> StagedFolder {
        let staged = StagedFolder::create(target, existing).unwrap();
        fs::write(staged.path().join(file), file).unwrap();
        staged
    }

    #[test]
    fn a_folder_is_there_as_a_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("deep/out");
        drop(staged(&target, "lost", Existing::Stays));
        assert_eq!(names(&place.path().join("deep")), [""; 0]);
        let first = staged(&target, "first", Existing::Stays);
        assert!(!target.exists());
        first.publish(Existing::Stays).unwrap();
        assert_eq!(names(&target), ["first"]);
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o500, 0o500);
        let error = StagedFolder::create(&target, Existing::Stays).unwrap_err();
        assert!(matches!(error, FileError::Exists(_)), "{error}");

        let second = staged(&target, "second", Existing::IsReplaced);
        assert_eq!(names(&target), ["first"]);
        second.publish(Existing::IsReplaced).unwrap();
        assert_eq!(names(&target), ["second"]);
        assert_eq!(names(&place.path().join("deep")), ["out"]);
        let aside = temporary_in(&place.path().join("deep")).unwrap();
        fs::write(aside.path().join("third"), "").unwrap();
        move_aside(aside, &target).unwrap();
        assert_eq!(names(&target), ["third"]);
        assert_eq!(names(&place.path().join("deep")), ["out"]);
    }

    #[test]
    fn what_came_into_being_meanwhile_stays() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        fs::create_dir(&target).unwrap();
        let late = staged(&target, "late", Existing::Stays);
        let too_late = staged(&target, "late", Existing::Stays);
        late.publish(Existing::Stays).unwrap();
        let error = too_late.publish(Existing::Stays).unwrap_err();
        assert!(matches!(error, FileError::Exists(_)), "{error}");
        assert_eq!(names(place.path()), ["out"]);
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        for taken in [file.as_path(), Path::new(".."), Path::new("/")] {
            let error = check_folder(taken, Existing::IsReplaced).unwrap_err();
            assert!(matches!(error, FileError::Exists(_)), "{error}");
        }
    }

    #[test]
    fn what_sigkill_leaves_goes_with_the_next_one() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let living = staged(&target, "a", Existing::Stays);
        let left = temporary_in(place.path()).unwrap().keep();
        fs::write(left.join("a"), "").unwrap();
        let notes = place.path().join(".runner-notes");
        fs::create_dir(&notes).unwrap();
        drop(StagedFolder::create(&target, Existing::Stays).unwrap());
        assert!(living.path().exists() && notes.exists());
        assert!(!left.exists());
    }
}
