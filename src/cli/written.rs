//! Files that commands write for people to read or run.

use crate::{
    error::Error,
    file::{self, Existing, FileError, Keep, destination},
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
    let is_script = |path: &Path| path.extension().is_some_and(|ending| ending == "rhai");
    if !is_script(path) {
        let message = format!("`{shown}` does not end as scripts do");
        let hint = format!("name it `{}`", path.with_extension("rhai").display());
        return Err(Problems::one(message, Some(hint)).into());
    }
    let place = destination(path);
    if !is_script(&place) {
        return Err(Problems::one(
            format!(
                "`{shown}` is a link to `{}`, which does not end as scripts do",
                place.display()
            ),
            Some("nothing was overwritten; choose another name, or remove the link".to_owned()),
        )
        .into());
    }
    check_writable(path)?;
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => return Ok(()),
        Ok(found) if !may_be_script(&found) => {
            return Err(Problems::one(
                format!("`{shown}` holds data, whatever its name"),
                Some("nothing was overwritten; choose another name".to_owned()),
            )
            .into());
        }
        // It is not there, or what keeps it from being read will keep it from being written.
        _ => {}
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

/// Whether a file may be a script: it is text, and no FASTA.
fn may_be_script(content: &[u8]) -> bool {
    let is_text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0'));
    is_text && !content.trim_ascii_start().starts_with(b">")
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
