//! Whether a file could be written where a path leads.

use super::PathError;
use crate::{
    file::{FileError, destination},
    job::{OutputKind, OutputTarget, Problems},
};
use nix::{
    errno::Errno,
    unistd::{AccessFlags, access},
};
use std::{io, path::Path};

/// Folders in which the kernel shows itself and keeps nothing.
const OF_THE_KERNEL: [&str; 2] = ["/proc", "/sys"];

/// Checks that a file could be written as `path`, without trying.
///
/// # Errors
/// - A folder, a pipe, a device or a socket is there.
/// - Its folder, or the nearest one that is there, cannot be written to.
pub fn check_writable(path: &Path) -> Result<(), PathError> {
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            let shown = path.display();
            return Err(refused(
                format!("`{shown}` is a folder"),
                "end the path with the name of a file in it".to_owned(),
            ));
        }
        Ok(found) if !found.is_file() => {
            return Err(refused(
                format!("`{}` is a pipe, a device or a socket", path.display()),
                "give the path of a file: it gets its name when it is complete".to_owned(),
            ));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FileError::io("write", path, error).into()),
    }
    let place = destination(path);
    check_folder(place.parent().unwrap_or(&place))
}

/// Checks that an output could be written where its path leads, without trying.
///
/// # Errors
/// - What is there is no file, or no folder, as the name says it.
/// - Its folder, or the nearest one that is there, cannot be written to.
pub fn check_output_place(output: &OutputTarget) -> Result<(), PathError> {
    let shown = output.path.display();
    let place = destination(&output.path);
    match (output.kind, place.metadata()) {
        (OutputKind::File, Ok(found)) if found.is_dir() => Err(refused(
            format!("`{shown}` is a folder"),
            format!(
                "name it `{shown}/` to have it filled with parts, or end the path with the name of a file in it"
            ),
        )),
        (OutputKind::File, _) => check_writable(&output.path),
        (OutputKind::Folder, Ok(found)) if !found.is_dir() => Err(refused(
            format!("`{shown}` names a folder, and a file is there"),
            "leave out the `/` at its end to write a file, or choose another folder".to_owned(),
        )),
        (OutputKind::Folder, _) => {
            check_folder(&place)?;
            // The ledger lies beside it.
            check_folder(place.parent().unwrap_or(&place))
        }
    }
}

/// Checks that the file that is at `path`, if there is one, could be written anew without being replaced.
///
/// # Errors
/// It cannot be written to.
pub fn check_in_place(path: &Path) -> Result<(), PathError> {
    match access(path, AccessFlags::W_OK) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(error) => Err(FileError::io("write", path, error.into()).into()),
    }
}

/// Checks that files could be written in `folder`, which need not be there.
fn check_folder(folder: &Path) -> Result<(), PathError> {
    let Some(existing) = folder.ancestors().find(|ancestor| ancestor.exists()) else {
        return Ok(());
    };
    let fail = |error| {
        let action = match existing == folder {
            true => "create a file in",
            false => "create the folder",
        };
        PathError::from(FileError::io(action, folder, error))
    };
    if !existing.is_dir() {
        return Err(fail(io::ErrorKind::NotADirectory.into()));
    }
    let is_of_the_kernel = OF_THE_KERNEL.iter().any(|of| existing.starts_with(of));
    if is_of_the_kernel {
        return Err(fail(io::ErrorKind::ReadOnlyFilesystem.into()));
    }
    access(existing, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| fail(error.into()))
}

fn refused(message: String, hint: String) -> PathError {
    Problems::one(message, Some(hint)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{
        sys::stat::Mode,
        unistd::{geteuid, mkfifo},
    };
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
    };

    #[test]
    fn files_have_a_place() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        mkfifo(&folder.path().join("pipe"), Mode::S_IRWXU).unwrap();
        for name in ["new", "file", "new/folders/file"] {
            check_writable(&folder.path().join(name)).unwrap();
        }
        let check = |path: &Path, expect: &str| {
            let error = check_writable(path).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
            assert!(
                error.contains(&*path.to_string_lossy()) || expect.contains('`'),
                "{error}"
            );
        };
        check(folder.path(), "is a folder");
        check(&folder.path().join("pipe"), "is a pipe");
        check(&folder.path().join("file/new"), "cannot write");
        check(Path::new("/dev/null"), "a device");
        check(
            Path::new("/proc/none/new"),
            "cannot create the folder `/proc/none`",
        );
    }

    #[test]
    fn outputs_are_what_their_names_say() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("parts.parquet")).unwrap();
        fs::write(folder.path().join("file.parquet"), "").unwrap();
        let check = |name: &str| {
            let path = format!("{}/{name}", folder.path().display());
            let target = OutputTarget::of(Path::new(&path)).unwrap();
            check_output_place(&target).map_err(|error| error.to_string())
        };
        for name in [
            "new/",
            "parts.parquet/",
            "a/b/new/",
            "new.parquet",
            "file.parquet",
        ] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        let refused = |name: &str, expect: &str| {
            let error = check(name).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        refused("parts.parquet", "parts.parquet` is a folder");
        refused(
            "file.parquet/",
            "file.parquet/` names a folder, and a file is there",
        );
        refused("file.parquet/new/", "cannot create the folder");
        assert!(check_output_place(&OutputTarget::of(Path::new("/proc/x/")).unwrap()).is_err());
    }

    #[test]
    fn what_is_written_in_place_must_let_itself_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        check_in_place(&path).unwrap();
        fs::write(&path, "").unwrap();
        check_in_place(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
        // Root may do anything.
        assert_eq!(check_in_place(&path).is_err(), !geteuid().is_root());
    }
}
