//! `runner new`.

use super::{
    args::{Global, NewArgs},
    ending,
    usage::quoted,
    written,
};
use crate::{
    error::Error,
    fasta,
    file::{self, Existing, FileError, Keep},
    hint::Hint,
    job::{OutputTarget, Problems},
    progress::Console,
    script::{Diagnostic, text_literal},
    text::printable,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The script, with the names of its parts between marks.
const JOB: &str = include_str!("new/job.rhai");
const MARK: &str = "@@";
/// 85 reviewed proteins of UniProt (CC BY 4.0).
const PROTEINS: &str = include_str!("../../examples/data/proteins.fasta");
const PROTEINS_NAME: &str = "proteins.fasta";

/// Writes a script, and an input if none is named, and returns the exit code.
pub(super) fn new(global: &Global, console: &Console, args: &NewArgs) -> u8 {
    let input = match write(args) {
        Ok(input) => input,
        Err(error) => return ending::failed(global, console, &Diagnostic::of_error(&error)),
    };
    if !args.input.is_empty()
        && let Err(error) = fasta::resolve(&args.input)
    {
        let warning = format!("warning: {}", error.in_full());
        console.note(&printable(&warning));
    }
    let script = args.script.display().to_string();
    if global.is_json() {
        console.print(&json!({ "script": script, "input": input }).to_string());
    } else if !global.is_quiet() {
        let input = input.map_or_else(String::new, |input| {
            format!(", which embeds `{}`", input.display())
        });
        // A command takes what begins as an option does for one.
        let here = if script.starts_with('-') { "./" } else { "" };
        let script = quoted(&format!("{here}{script}"));
        console.print(&printable(&format!(
            "wrote `{script}`{input}\n\n\
             runner check {script}    # looks whether all is there\n\
             runner exec {script}     # does it; run again, it goes on"
        )));
    }
    ending::unprinted(global, console)
}

/// Writes the files, and gives the input that came with the script.
fn write(args: &NewArgs) -> Result<Option<PathBuf>, Error> {
    if let Some(output) = &args.output {
        OutputTarget::of(Path::new(output)).map_err(|problem| Problems(vec![problem]))?;
    }
    let existing = Existing::unless(args.overwrite);
    let remedy = "choose another name, or add `--overwrite` to replace it";
    written::script(&args.script, &text(args), existing, remedy)?;
    if !args.input.is_empty() {
        return Ok(None);
    }
    let input = args.script.with_file_name(PROTEINS_NAME);
    match file::write(&input, PROTEINS.as_bytes(), Existing::Stays, Keep::Safely) {
        // Whatever it holds, it is data, and the script reads it.
        Ok(()) | Err(FileError::Exists(_)) => Ok(Some(input)),
        Err(error) => Err(error.into()),
    }
}

/// The text of the script.
fn text(args: &NewArgs) -> String {
    let beside = |name: &str| format!("script_dir + {}", text_literal(&format!("/{name}")));
    let inputs: Vec<_> = args.input.iter().map(|input| text_literal(input)).collect();
    let part = |name| match name {
        "input" => match inputs.as_slice() {
            [] => beside(PROTEINS_NAME),
            [input] => input.clone(),
            inputs => format!("[{}]", inputs.join(", ")),
        },
        "model" => text_literal(&args.model),
        "output" => match &args.output {
            Some(output) => text_literal(output),
            None => beside("embeddings.parquet"),
        },
        other => unreachable!("`{other}` stands in the script that comes with the program"),
    };
    // What is put in is looked at no more: it may hold marks of its own.
    let pieces = JOB.split(MARK).enumerate();
    let pieces = pieces.map(|(n, piece)| match n % 2 {
        0 => piece.to_owned(),
        _ => part(piece),
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_says_what_it_was_told_and_nothing_else() {
        let args = NewArgs {
            script: "job.rhai".into(),
            input: vec!["@@model@@".to_owned(), "a\"b\n.fa".to_owned()],
            model: "`${1}`".to_owned(),
            output: Some("out/".into()),
            overwrite: false,
        };
        let text = text(&args);
        assert!(
            text.contains("fasta([\"@@model@@\", \"a\\\"b\\n.fa\"])\n"),
            "{text}"
        );
        assert!(text.contains("esm2(\"`${1}`\", #{\n"), "{text}");
        assert!(text.contains("    output: \"out/\",\n"), "{text}");
    }
}
