//! `runner script definitions`.

use super::{args::Global, ending, written};
use crate::{
    error::exit_code,
    paths::Role,
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
            if let Err(error) = written::replace(Role::Definitions, path, &text) {
                return ending::failed(global, console, &Diagnostic::of_error(&error));
            }
        }
    }
    exit_code::OK
}
