//! `runner script definitions`.

use crate::{error::exit_code, progress::Console, script};
use std::path::Path;

/// Writes the definitions to `output`, or prints them, and returns the exit code.
pub(super) fn write(console: &Console, output: Option<&Path>) -> u8 {
    let text = script::definitions();
    match output {
        None => console.print(text.trim_end()),
        Some(path) => {
            if let Err(error) = std::fs::write(path, text) {
                console.note(&format!(
                    "error: `{}` cannot be written: {error}",
                    path.display()
                ));
                return exit_code::UNEXPECTED;
            }
        }
    }
    exit_code::OK
}
