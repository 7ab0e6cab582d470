//! Small files that are there completely or not at all.

use super::ReportError;
use std::{
    fs::{self, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Writes a file under a temporary name and renames it to `target`, which it replaces. Missing
/// parent folders are created.
///
/// # Errors
/// - If `target` names something that is not a file.
/// - If the file system refuses.
pub(super) fn write(target: &Path, contents: &[u8]) -> Result<(), ReportError> {
    if target.file_name().is_none() {
        return Err(ReportError::NotAFile(target.to_owned()));
    }
    match target.metadata() {
        // Renaming over `/dev/null` would replace it.
        Ok(found) if !found.is_file() => return Err(ReportError::NotAFile(target.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(ReportError::io("write", target, error)),
    }
    let folder = match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    create_folder(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".runner-")
        .suffix(".partial")
        // Temporary files are private by default; the umask decides about this one.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|error| ReportError::io("create a file in", folder, error))?;
    file.write_all(contents)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| ReportError::io("write", target, error))?;
    file.persist(target)
        .map_err(|error| ReportError::io("publish", target, error.error))?;
    Ok(())
}

/// Creates a folder and those that it is in, as far as they are missing.
///
/// # Errors
/// If the file system refuses.
pub(super) fn create_folder(folder: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(folder).map_err(|error| ReportError::io("create the folder", folder, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new/folder/a.csv");
        for text in ["first", "second"] {
            write(&target, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
        }
        let n_files = fs::read_dir(target.parent().unwrap()).unwrap().count();
        assert_eq!(n_files, 1);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let check = |target: &str, expect: &str| {
            let error = write(&folder.path().join(target), b"").unwrap_err();
            assert!(error.to_string().contains(expect), "{error}");
        };
        check("..", "cannot be a file of a report");
        check("/dev/null", "cannot be a file of a report");
        check("file/a.csv", "cannot write");
    }
}
