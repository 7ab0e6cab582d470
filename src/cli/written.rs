//! Files that commands write for people to read or run.

use crate::{
    error::Error,
    file::{self, Existing, FileError, Keep},
    job::{Problems, check_file_name},
    paths::{Role, check_ours, check_writable},
};
use std::{fs, path::Path};

/// Makes `path` hold a script. A file that holds it already is left as it is, so that a command can be run again.
///
/// # Errors
/// - The name is not that of a script, so that nobody replaces a file of data.
/// - There is another file, and it is to stay. `remedy` says what to do about it.
/// - The file system refuses.
pub(super) fn script(
    path: &Path,
    text: &str,
    existing: Existing,
    remedy: &str,
) -> Result<(), Error> {
    let shown = path.display();
    check_file_name(path).map_err(|problem| Problems(vec![problem]))?;
    if path.extension().is_none_or(|ending| ending != "rhai") {
        let message = format!("`{shown}` does not end as scripts do");
        let hint = format!("name it `{}`", path.with_extension("rhai").display());
        return Err(Problems::one(message, Some(hint)).into());
    }
    check_writable(path)?;
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    match file::write(path, text.as_bytes(), existing, Keep::Safely) {
        Err(FileError::Exists(_)) => Err(Problems::one(
            format!("`{shown}` exists, and says something else"),
            Some(format!("nothing was overwritten; {remedy}")),
        )
        .into()),
        written => Ok(written?),
    }
}

/// Makes `path` hold `text`. What is there is replaced if this program wrote it for the same purpose.
///
/// # Errors
/// Something else is there, or the file system refuses.
pub(super) fn replace(role: Role, path: &Path, text: &str) -> Result<(), Error> {
    check_file_name(path).map_err(|problem| Problems(vec![problem]))?;
    check_writable(path)?;
    check_ours(role, path)?;
    Ok(file::replace(path, text.as_bytes(), Keep::Safely)?)
}
