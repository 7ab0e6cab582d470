//! A file that has a temporary name until it is complete.

use super::SinkError;
use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A file on its way to `target`, in the same folder so that publishing is one rename. Dropping it
/// removes it; only SIGKILL or a power cut leave a `.runner-*.partial` behind.
#[derive(Debug)]
pub(super) struct StagedFile {
    target: PathBuf,
    overwrite: bool,
    file: NamedTempFile,
}

/// Checks that an output may be published as `target`, before any work goes into it.
///
/// # Errors
/// - If there is such a file and `overwrite` is off.
/// - If `target` names something that is not a file.
pub(super) fn check_target(target: &Path, overwrite: bool) -> Result<(), SinkError> {
    if target.file_name().is_none() {
        return Err(SinkError::NotAFile(target.to_owned()));
    }
    match target.metadata() {
        // Renaming over `/dev/null` would replace it.
        Ok(found) if !found.is_file() => Err(SinkError::NotAFile(target.to_owned())),
        Ok(_) if !overwrite => Err(SinkError::Exists(target.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(SinkError::io("write", target, error)),
    }
}

impl StagedFile {
    /// An empty file that [`publish`](Self::publish) will name `target`. Missing parent folders are
    /// created, and stay.
    ///
    /// # Errors
    /// As [`check_target`], and if the file cannot be created.
    pub(super) fn create(target: &Path, overwrite: bool) -> Result<Self, SinkError> {
        check_target(target, overwrite)?;
        let folder = folder_of(target);
        fs::create_dir_all(folder)
            .map_err(|error| SinkError::io("create the folder", folder, error))?;
        let file = tempfile::Builder::new()
            .prefix(".runner-")
            .suffix(".partial")
            // Temporary files are private by default; the umask decides about this one.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .map_err(|error| SinkError::io("create a file in", folder, error))?;
        Ok(Self {
            target: target.to_owned(),
            overwrite,
            file,
        })
    }

    /// The name that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// A handle for writing the contents.
    ///
    /// # Errors
    /// If the process has too many open files.
    pub(super) fn writer(&self) -> Result<File, SinkError> {
        let cloned = self.file.as_file().try_clone();
        cloned.map_err(|error| SinkError::io("write", &self.target, error))
    }

    /// Gives the file its name, once its contents are on the disk.
    ///
    /// # Errors
    /// - If a file of that name came into being meanwhile and `overwrite` is off.
    /// - If the file system refuses.
    pub(super) fn publish(self) -> Result<PathBuf, SinkError> {
        let Self {
            target,
            overwrite,
            file,
        } = self;
        file.as_file()
            .sync_all()
            .map_err(|error| SinkError::io("write", &target, error))?;
        // Checked again because what renames could replace may have changed during the run. Without
        // `overwrite` the kernel checks a last time, in the same step that renames.
        check_target(&target, overwrite)?;
        let persisted = if overwrite {
            file.persist(&target)
        } else {
            file.persist_noclobber(&target)
        };
        persisted.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => SinkError::Exists(target.clone()),
            _ => SinkError::io("publish", &target, error.error),
        })?;
        // The file has its name. Some file systems cannot sync a folder, which is no reason to
        // report a failure.
        let _ = File::open(folder_of(&target)).and_then(|folder| folder.sync_all());
        Ok(target)
    }
}

/// The folder that a file is in.
fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    fn stage(target: &Path, overwrite: bool, text: &str) -> Result<StagedFile, SinkError> {
        let staged = StagedFile::create(target, overwrite)?;
        staged.writer()?.write_all(text.as_bytes()).unwrap();
        Ok(staged)
    }

    #[test]
    fn a_file_appears_when_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/folder/a.txt");
        let staged = stage(&target, false, "one").unwrap();
        assert!(!target.exists());
        assert_eq!(staged.publish().unwrap(), target);
        assert_eq!(fs::read_to_string(&target).unwrap(), "one");
        assert_eq!(names(target.parent().unwrap()), ["a.txt"]);
        let mode = target.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o600, 0o600, "{mode:o}");
    }

    #[test]
    fn an_abandoned_file_vanishes() {
        let folder = tempfile::tempdir().unwrap();
        drop(stage(&folder.path().join("a.txt"), false, "one").unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn nothing_is_replaced_unless_told() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.txt");
        // The file comes into being after the first check.
        let staged = stage(&target, false, "late").unwrap();
        fs::write(&target, "first").unwrap();
        assert!(matches!(staged.publish(), Err(SinkError::Exists(path)) if path == target));
        assert!(matches!(
            stage(&target, false, "late"),
            Err(SinkError::Exists(_))
        ));
        assert_eq!(fs::read_to_string(&target).unwrap(), "first");

        stage(&target, true, "second").unwrap().publish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "second");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_cannot_be_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let check = |target: &str, expected: &str| {
            let error = StagedFile::create(&folder.path().join(target), true).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(
            "",
            "cannot be an output file (end the path with the name of a file)",
        );
        check("..", "cannot be an output file");
        check("/dev/null", "`/dev/null` cannot be an output file");
        check("file/a.txt", "(a folder of the path is a file)");
        check(&"x".repeat(300), "(choose a shorter name)");
    }
}
