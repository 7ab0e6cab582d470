//! `runner new`.

use super::{
    args::{Global, NewArgs},
    ending,
    usage::quoted,
    written,
};
use crate::{
    error::Error,
    file::{self, Existing, FileError, Keep},
    hint::Hint,
    host,
    job::{OutputTarget, Problems},
    progress::Console,
    script::{Diagnostic, text_literal},
    text::printable,
};
use serde_json::json;
use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

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
    // What comes through a pipe comes later.
    let files = args.input.iter().filter(|input| *input != "-");
    let files: Vec<_> = files.cloned().collect();
    if !files.is_empty()
        && let Err(error) = host::find_inputs(&files)
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
    if let Some(input) = args
        .input
        .iter()
        .find(|input| same_file(input, &args.script))
    {
        return Err(Problems::one(
            format!("`{input}` is to be read, and the script would be written there"),
            Some("choose another name for the script".to_owned()),
        )
        .into());
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

/// Whether two paths are those of one file that is there.
fn same_file(a: &str, b: &Path) -> bool {
    let identity = |path: &Path| {
        let found = path.metadata().ok()?;
        Some((found.dev(), found.ino()))
    };
    let found = identity(Path::new(a));
    found.is_some() && found == identity(b)
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
