//! `runner script definitions`.

use super::{args::Global, ending};
use crate::{
    error::{Error, exit_code},
    file::{self, Keep},
    job::{Problems, check_file_name},
    paths::{Role, check_ours, check_writable},
    progress::Console,
    script::{self, Diagnostic},
};
use std::path::Path;

/// Writes the definitions to `output`, or prints them, and returns the exit code.
pub(super) fn write(global: &Global, console: &Console, output: Option<&Path>) -> u8 {
    let text = script::definitions();
    match output {
        None => {
            console.print(text.trim_end());
            return ending::unprinted(global, console);
        }
        Some(path) => {
            if let Err(error) = replace(path, &text) {
                return ending::failed(global, console, &Diagnostic::of_error(&error));
            }
        }
    }
    exit_code::OK
}

fn replace(path: &Path, text: &str) -> Result<(), Error> {
    check_file_name(path).map_err(|problem| Problems(vec![problem]))?;
    check_writable(path)?;
    check_ours(Role::Definitions, path)?;
    Ok(file::replace(path, text.as_bytes(), Keep::Safely)?)
}
