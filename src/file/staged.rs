//! A file that has a temporary name until it is complete.

use super::{
    Existing, FileError, check_target, create_folder,
    destination::behind_links,
    kept::{is_kept, make_kept},
    stale,
    target::{folder_of, sync_folder},
    temporary::Registration,
};
use nix::errno::Errno;
use std::{
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// How much a file's contents are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// They are on the disk before the file has its name.
    Safely,
    /// They are soon replaced.
    Briefly,
}

/// Rights of a new file, which the umask reduces.
const NEW_FILE_MODE: u32 = 0o666;
/// Rights that an owner needs to write a file and to read it again.
const OWNERS_MODE: u32 = 0o600;
/// The bits of a mode that are rights.
const RIGHTS: u32 = 0o7777;

/// A file on its way to its name, as a rule in the same folder so that publishing is one rename. Dropping
/// it removes it, and so does the end of the program by a signal; what SIGKILL or a power cut leave, the
/// next one that writes into the folder removes.
#[derive(Debug)]
pub struct Staged {
    target: PathBuf,
    /// Where `target` leads, if it is a link.
    destination: PathBuf,
    existing: Existing,
    // Before its registration, so that it is on the list as long as it is there.
    file: NamedTempFile,
    _registration: Registration,
}

impl Staged {
    /// An empty file that [`publish`](Self::publish) will name `target`. Missing folders are created,
    /// and stay. Where `target` is a link, the file that it leads to is written.
    ///
    /// # Errors
    /// As [`check_target`], and if the file cannot be created.
    pub fn create(target: &Path, existing: Existing) -> Result<Self, FileError> {
        let destination = behind_links(target)?;
        Self::create_in(folder_of(&destination), target, existing)
    }

    /// As [`create`](Self::create), and until then the file lies in another folder. It can be published
    /// if that is on the same file system.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_in(folder: &Path, target: &Path, existing: Existing) -> Result<Self, FileError> {
        // Nobody may read the new file who could not read the old one.
        Self::create_with(folder, target, existing, rights_of(target)?)
    }

    /// As [`create`](Self::create), for a file that is to become part of another one, `whole`: nobody may read
    /// it who cannot read what is there of that.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_like(whole: &Path, target: &Path, existing: Existing) -> Result<Self, FileError> {
        let rights = match rights_of(target)? {
            Some(rights) => Some(rights),
            // The owner makes it, and has to read it again.
            None => rights_of(whole)?.map(|rights| rights | OWNERS_MODE),
        };
        let destination = behind_links(target)?;
        Self::create_with(folder_of(&destination), target, existing, rights)
    }

    fn create_with(
        folder: &Path,
        target: &Path,
        existing: Existing,
        rights: Option<u32>,
    ) -> Result<Self, FileError> {
        let mode = rights.unwrap_or(NEW_FILE_MODE);
        Self::make_in(folder, target, existing, |names| {
            // Temporary files are private by default; the umask decides about this one.
            let rights = Permissions::from_mode(mode);
            names.permissions(rights).tempfile_in(folder)
        })
    }

    /// A second name of the complete file `from`, which keeps its first one.
    ///
    /// # Errors
    /// As [`create`](Self::create), and if the file system gives no second names: not every one can.
    pub fn link(from: &Path, target: &Path, existing: Existing) -> Result<Self, FileError> {
        let destination = behind_links(target)?;
        let folder = folder_of(&destination);
        Self::make_in(folder, target, existing, |names| {
            names.make_in(folder, |name| {
                // First, so that no name is left where that fails.
                let file = File::open(from)?;
                fs::hard_link(from, name)?;
                Ok(file)
            })
        })
    }

    /// A file of a temporary name in `folder`, as `make` makes it.
    fn make_in(
        folder: &Path,
        target: &Path,
        existing: Existing,
        make: impl Fn(&mut tempfile::Builder<'_, '_>) -> io::Result<NamedTempFile>,
    ) -> Result<Self, FileError> {
        check_target(target, existing)?;
        let destination = behind_links(target)?;
        create_folder(folder)?;
        stale::sweep_once(folder);
        let make = || {
            let prefix = stale::prefix();
            let mut names = tempfile::Builder::new();
            make(names.prefix(&prefix).suffix(stale::SUFFIX))
        };
        let keep = |file: &NamedTempFile| is_kept(file.as_file()).then_some(());
        let (file, _, registration) = make_kept(make, NamedTempFile::path, keep)
            .map_err(|error| FileError::io("create a file in", folder, error))?;
        Ok(Self {
            target: target.to_owned(),
            destination,
            existing,
            file,
            _registration: registration,
        })
    }

    /// The name that the file will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the file is until then.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A handle for writing the contents.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub fn writer(&self) -> Result<File, FileError> {
        let cloned = self.file.as_file().try_clone();
        cloned.map_err(|error| FileError::io("write", &self.target, error))
    }

    /// Gives the file its name. It has the rights and the owner of the file that it replaces, as far
    /// as the system lets it.
    ///
    /// # Errors
    /// - If a file of that name came into being meanwhile, and is to stay.
    /// - If the file system refuses.
    pub fn publish(self, keep: Keep) -> Result<PathBuf, FileError> {
        let Self {
            target,
            destination,
            existing,
            file,
            ..
        } = &self;
        let io = |action| move |error| FileError::io(action, target, error);
        if let Ok(old) = destination.metadata()
            && *existing == Existing::IsReplaced
        {
            // Only root gives files away, so it may fail. A group that one is in may be given, alone.
            let file = file.as_file();
            if fchown(file, Some(old.uid()), Some(old.gid())).is_err() {
                let _ = fchown(file, None, Some(old.gid()));
            }
            let rights = Permissions::from_mode(old.mode() & RIGHTS);
            let set = file.set_permissions(rights);
            set.map_err(io("set the rights of"))?;
        }
        if keep == Keep::Safely {
            file.as_file().sync_all().map_err(io("write"))?;
        }
        // Checked again because what renames could replace may have changed during the run. A file that
        // is to stay is protected by the kernel at last, in the same step that renames.
        check_target(target, *existing)?;
        check_target(destination, *existing)?;
        let Self {
            target,
            destination,
            existing,
            file,
            _registration,
        } = self;
        let persisted = match existing {
            Existing::IsReplaced => file.persist(&destination),
            Existing::Stays => match file.persist_noclobber(&destination) {
                Err(error) if is_impossible(&error.error) => {
                    // Nothing here can be renamed without replacing, nor gets a second name. Between the look and
                    // the rename another program may take the name; those of this one have a lock for an output.
                    check_target(&destination, existing)?;
                    error.file.persist(&destination)
                }
                persisted => persisted,
            },
        };
        persisted.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => FileError::Exists(target.clone()),
            _ => FileError::io("publish", &target, error.error),
        })?;
        if keep == Keep::Safely {
            sync_folder(&destination);
        }
        Ok(target)
    }
}

/// The rights of the file that `target` leads to, if that is there. Those of a folder are others.
fn rights_of(target: &Path) -> Result<Option<u32>, FileError> {
    let found = behind_links(target)?.metadata().ok();
    let found = found.filter(fs::Metadata::is_file);
    Ok(found.map(|found| found.mode() & RIGHTS))
}

/// Whether a file system says that it cannot rename without replacing, nor give a file a second name: it
/// need not have links, and there are several ways to say so.
fn is_impossible(error: &io::Error) -> bool {
    let said = error.raw_os_error().map(Errno::from_raw);
    matches!(
        said,
        Some(Errno::EPERM | Errno::ENOTSUP | Errno::ENOSYS | Errno::EINVAL)
    )
}

/// Writes a file under a temporary name and renames it to `target`, which it replaces. Missing
/// parent folders are created.
///
/// # Errors
/// As [`Staged::create`] and [`Staged::publish`].
pub fn replace(target: &Path, contents: &[u8], keep: Keep) -> Result<(), FileError> {
    write(target, contents, Existing::IsReplaced, keep)
}

/// As [`replace`], if what is at `target` is to be replaced.
///
/// # Errors
/// As [`replace`], and if something that stays is there.
pub fn write(
    target: &Path,
    contents: &[u8],
    existing: Existing,
    keep: Keep,
) -> Result<(), FileError> {
    let staged = Staged::create(target, existing)?;
    let written = staged.file.as_file().write_all(contents);
    written.map_err(|error| FileError::io("write", target, error))?;
    staged.publish(keep)?;
    Ok(())
}

#[cfg(test)]
mod tests;
