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
        Some(remedy(&verified).to_owned()),
        exit_code::UNEXPECTED,
    );
    ending::failed(global, console, &diagnostic)
}

/// How to mend it. Nothing is to be removed but what is damaged, or belongs to nothing.
fn remedy(verified: &Verified) -> &'static str {
    match verified.flaws.iter().any(|flaw| flaw.is_removable) {
        true => {
            "remove the files that are damaged or do not belong, nothing else, and run the script again: it \
             computes again what lacks then"
        }
        false => "run the script again: it computes again what lacks",
    }
}

fn shown(output: &Path, verified: &Verified) -> String {
    let Verified {
        files,
        bytes,
        is_finished,
        is_unpublished,
        flaws,
    } = verified;
    if flaws.is_empty() {
        let (so_far, more) = match (is_finished, is_unpublished) {
            (true, _) => ("", ""),
            (false, true) => (
                ", and is complete and not published",
                "; run the script again: it publishes",
            ),
            (false, false) => (", and is not finished", ""),
        };
        return format!(
            "{} is what was written{so_far}: {}, {bytes} bytes{more}",
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
