//! `runner verify`.

use super::{args::Global, ending};
use crate::{
    error::{Error, exit_code},
    progress::Console,
    script::Diagnostic,
    sink::{self, Verified},
    text::printable,
};
use std::path::Path;

/// Reads an output again, says what is wrong with it, and returns the exit code.
pub(super) fn verify(global: &Global, console: &Console, output: &Path) -> u8 {
    let verified = match sink::verify(output) {
        Ok(verified) => verified,
        Err(error) => {
            return ending::failed(global, console, &Diagnostic::of_error(&Error::Sink(error)));
        }
    };
    let is_good = verified.flaws.is_empty();
    if global.is_json() {
        console.print(&serde_json::to_string(&verified).expect("a list of texts and numbers"));
    } else if !(global.is_quiet() && is_good) {
        console.print(&printable(&shown(output, &verified)));
    }
    if console.failure().is_some() {
        return ending::unprinted(global, console);
    }
    if is_good {
        return exit_code::OK;
    }
    let diagnostic = Diagnostic::of_the_program(
        format!("`{}` is not what was written", output.display()),
        Some(
            "remove the files that are named, where they are there, and run the script again: it computes \
             them again"
                .to_owned(),
        ),
        exit_code::UNEXPECTED,
    );
    ending::failed(global, console, &diagnostic)
}

fn shown(output: &Path, verified: &Verified) -> String {
    let Verified {
        files,
        bytes,
        is_finished,
        flaws,
    } = verified;
    if flaws.is_empty() {
        let so_far = match is_finished {
            true => "",
            false => ", and is not finished",
        };
        return format!(
            "{} is what was written{so_far}: {}, {bytes} bytes",
            output.display(),
            match files {
                1 => "1 file".to_owned(),
                n => format!("{n} files"),
            }
        );
    }
    let flaws = flaws
        .iter()
        .map(|flaw| format!("`{}` {}", flaw.path.display(), flaw.problem));
    flaws.collect::<Vec<_>>().join("\n")
}
