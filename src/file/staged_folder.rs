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
    ffi::OsString,
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

    /// Gives the folder its name. One that has it and is to be replaced goes, and an empty one always does.
    /// `removable` tells which files of the older one are removed with it, once nobody finds it under its name any
    /// more. The files must be on the disk.
    ///
    /// # Errors
    /// - If something else came into being under that name meanwhile.
    /// - If `removable` refuses. Then the older folder is where it was, with all that is in it.
    /// - If something came into the older folder even later. Then that stays, and the error says where.
    /// - If the file system refuses.
    pub fn publish<E: From<FileError>>(
        self,
        existing: Existing,
        removable: impl Fn(&Path) -> Result<Vec<OsString>, E>,
    ) -> Result<(), E> {
        let Self {
            target,
            destination,
            folder,
            _registration,
            _lock,
        } = self;
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
                        | io::ErrorKind::NotADirectory => FileError::Exists(target).into(),
                        _ => FileError::io("publish", &target, error).into(),
                    });
                }
            }
        } else {
            // The older folder gets a temporary name, under which neither the end of this process may remove it nor
            // another one that looks for what the dead left.
            drop(_registration);
            let older = File::open(&destination);
            let _older_lock =
                older.and_then(|older| older.try_lock().map(|()| older).map_err(Into::into));
            let failed = |error| FileError::io("publish", &target, error);
            let replace = match exchange(folder.path(), &destination) {
                Ok(()) => after_exchange,
                Err(_) => move_aside,
            };
            replace(folder.keep(), &destination, &removable, &failed)?;
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

/// Has two folders change their names in one step.
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

/// Which files of an older folder are removed with it.
type Removable<'a, E> = &'a dyn Fn(&Path) -> Result<Vec<OsString>, E>;

/// Removes an older folder, which has changed its name with the new one, or changes the names back.
fn after_exchange<E: From<FileError>>(
    older: PathBuf,
    destination: &Path,
    removable: Removable<E>,
    _: &dyn Fn(io::Error) -> FileError,
) -> Result<(), E> {
    match removable(&older) {
        Ok(names) => Ok(remove(&older, &names, destination)?),
        Err(error) => match exchange(&older, destination) {
            Ok(()) => {
                let _ = fs::remove_dir_all(&older);
                Err(error)
            }
            Err(error) => {
                let older = name_for_good(&older, destination);
                Err(FileError::io("put back", &older, error).into())
            }
        },
    }
}

/// Replaces a folder where the file system cannot exchange names: for a moment there is none.
fn move_aside<E: From<FileError>>(
    new: PathBuf,
    destination: &Path,
    removable: Removable<E>,
    failed: &dyn Fn(io::Error) -> FileError,
) -> Result<(), E> {
    let moved = temporary_in(folder_of(destination)).and_then(|older| {
        fs::rename(destination, older.path())?;
        Ok(older.keep())
    });
    let replaced = moved
        .map_err(|error| failed(error).into())
        .and_then(|older| {
            let replaced = removable(&older).and_then(|names| {
                fs::rename(&new, destination).map_err(failed)?;
                Ok(names)
            });
            match replaced {
                Ok(names) => Ok((older, names)),
                Err(error) => Err(match fs::rename(&older, destination) {
                    Ok(()) => error,
                    Err(error) => {
                        let older = name_for_good(&older, destination);
                        FileError::io("put back", &older, error).into()
                    }
                }),
            }
        });
    match replaced {
        Ok((older, names)) => Ok(remove(&older, &names, destination)?),
        Err(error) => {
            let _ = fs::remove_dir_all(&new);
            Err(error)
        }
    }
}

/// Removes an older folder that holds these files. What came into it since they were looked for stays.
fn remove(older: &Path, names: &[OsString], destination: &Path) -> Result<(), FileError> {
    for name in names {
        // What cannot be removed is found out with the folder.
        let _ = fs::remove_file(older.join(name));
    }
    fs::remove_dir(older).map_err(|error| {
        let older = name_for_good(older, destination);
        FileError::io("remove all of the older folder, now", &older, error)
    })
}

/// Gives an older folder a name beside its former one that is not temporary, and tells the name that it has then.
fn name_for_good(older: &Path, destination: &Path) -> PathBuf {
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(".older");
    let place = destination.with_file_name(name);
    match fs::rename(older, &place) {
        Ok(()) => place,
        Err(_) => older.to_owned(),
    }
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

    fn publish(
        staged: StagedFolder,
        existing: Existing,
        removable: &[&str],
    ) -> Result<(), FileError> {
        let removable = removable.iter().map(OsString::from).collect::<Vec<_>>();
        staged.publish(existing, |_| Ok(removable.clone()))
    }

    #[test]
    fn a_folder_is_there_as_a_whole_or_not_at_all() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("deep/out");
        drop(staged(&target, "lost", Existing::Stays));
        assert_eq!(names(&place.path().join("deep")), [""; 0]);
        let first = staged(&target, "first", Existing::Stays);
        assert!(!target.exists());
        publish(first, Existing::Stays, &[]).unwrap();
        assert_eq!(names(&target), ["first"]);
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o500, 0o500);
        let error = StagedFolder::create(&target, Existing::Stays).unwrap_err();
        assert!(matches!(error, FileError::Exists(_)), "{error}");

        let second = staged(&target, "second", Existing::IsReplaced);
        assert_eq!(names(&target), ["first"]);
        publish(second, Existing::IsReplaced, &["first"]).unwrap();
        assert_eq!(names(&target), ["second"]);
        assert_eq!(names(&place.path().join("deep")), ["out"]);
        // Where names cannot be exchanged.
        let replace = |file: &str, removable: Removable<FileError>| {
            let new = temporary_in(&place.path().join("deep")).unwrap().keep();
            fs::write(new.join(file), "").unwrap();
            let failed = |error| FileError::io("publish", &target, error);
            move_aside(new, &target, removable, &failed)
        };
        replace("third", &|_| Ok(vec!["second".into()])).unwrap();
        assert_eq!(names(&target), ["third"]);
        let refuse = |older: &Path| Err(FileError::Exists(older.to_owned()));
        replace("fourth", &refuse).unwrap_err();
        assert_eq!(names(&target), ["third"]);
        assert_eq!(names(&place.path().join("deep")), ["out"]);
    }

    #[test]
    fn what_comes_into_an_older_folder_at_the_last_moment_stays() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let first = staged(&target, "first", Existing::Stays);
        publish(first, Existing::Stays, &[]).unwrap();

        let second = staged(&target, "second", Existing::IsReplaced);
        let refused = second.publish(Existing::IsReplaced, |older| {
            assert_eq!(
                (names(older), names(&target)),
                (vec!["first".to_owned()], vec!["second".to_owned()])
            );
            Err(FileError::Exists(target.clone()))
        });
        assert!(matches!(refused, Err(FileError::Exists(_))));
        assert_eq!(names(&target), ["first"]);
        assert_eq!(names(place.path()), ["out"]);

        let third = staged(&target, "third", Existing::IsReplaced);
        let written = third.publish(Existing::IsReplaced, |older| {
            fs::write(older.join("thesis"), "mine").unwrap();
            Ok::<_, FileError>(vec!["first".into()])
        });
        let error = written.unwrap_err().to_string();
        assert!(error.contains("out.older"), "{error}");
        assert_eq!(names(&target), ["third"]);
        assert_eq!(names(place.path()), ["out", "out.older"]);
        assert_eq!(names(&place.path().join("out.older")), ["thesis"]);
    }

    #[test]
    fn what_came_into_being_meanwhile_stays() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        fs::create_dir(&target).unwrap();
        let late = staged(&target, "late", Existing::Stays);
        let too_late = staged(&target, "late", Existing::Stays);
        publish(late, Existing::Stays, &[]).unwrap();
        let error = publish(too_late, Existing::Stays, &[]).unwrap_err();
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
