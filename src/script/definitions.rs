//! The script API as a definitions file, for editors and for readers.

use super::{
    api::comment::option_list,
    constants,
    engine::{self, Setup},
    session::Session,
    source::Sources,
};
use crate::{
    cancel::CancelToken,
    job::{
        AttentionPlan, ContactTableOptions, EmbedOptions, EmbeddingsOptions, ExportOptions,
        MergePlan, ModelSpec, MutantsTable, PerplexityOptions, ScoreOptions, SweepPlan,
    },
};
use rhai::{Engine, Scope};

/// The text of `scripts/runner.d.rhai`: every function, property and constant, with documentation.
pub fn definitions() -> String {
    let (engine, _) = bare_engine();
    let text = engine
        .definitions()
        .include_standard_packages(false)
        .single_file();
    // The generator keeps the Rust names of returned types, and leaves gaps for empty sections.
    let text = text
        .replace("-> String;", "-> string;")
        .replace("-> Array;", "-> array;")
        .replace("-> Map;", "-> map;")
        .replace("\n\n\n\n", "\n\n");
    let text = EXPORT.into_iter().fold(text, |text, (operator, function)| {
        text.replace(
            &format!("op export({operator})"),
            &format!("fn export({function})"),
        )
    });
    let text = option_lists().into_iter().fold(text, |text, (call, list)| {
        text.replace(&format!("/// {{options of `{call}`}}"), &list)
    });
    format!("{}\n", text.trim_end())
}

/// What the parameters of `export` are called: the generator takes it for an operator, as Rhai has a word `export`.
const EXPORT: [(&str, &str); 4] = [
    ("string, string", "from: string, to: string"),
    (
        "string, string, map",
        "from: string, to: string, options: map",
    ),
    ("Run, string", "run: Run, to: string"),
    ("Run, string, map", "run: Run, to: string, options: map"),
];

/// The calls that have options, and the lists of these, which stand for `{options of ...}`.
fn option_lists() -> [(&'static str, String); 11] {
    [
        (
            "attention_maps",
            option_list(&AttentionPlan::OPTIONS.docs()),
        ),
        (
            "contact_table",
            option_list(&ContactTableOptions::OPTIONS.docs()),
        ),
        ("embed", option_list(&EmbedOptions::OPTIONS.docs())),
        (
            "embeddings",
            option_list(&EmbeddingsOptions::OPTIONS.docs()),
        ),
        ("esm2", option_list(&ModelSpec::OPTIONS.docs())),
        ("export", option_list(&ExportOptions::OPTIONS.docs())),
        ("merge", option_list(&MergePlan::OPTIONS.docs())),
        ("mutants", option_list(&MutantsTable::OPTIONS.docs())),
        (
            "perplexity",
            option_list(&PerplexityOptions::OPTIONS.docs()),
        ),
        ("score", option_list(&ScoreOptions::OPTIONS.docs())),
        ("sweep", option_list(&SweepPlan::OPTIONS.docs())),
    ]
}

/// An engine that no script runs on.
fn bare_engine() -> (Engine, Scope<'static>) {
    let constants = constants("", &[]);
    let engine = engine::build(Setup {
        session: Session::of_foresight(None, CancelToken::default()),
        sources: Sources::default(),
        constants: constants.clone(),
        console: None,
        cancel: CancelToken::default(),
        deadline: None,
    });
    (engine, constants)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_operators() {
        let text = definitions();
        let operators = text.lines().filter(|line| line.starts_with("op "));
        let named: Vec<_> = operators
            .filter(|line| line.as_bytes()[3].is_ascii_alphabetic())
            .collect();
        assert!(named.is_empty(), "{named:?}");
    }

    #[test]
    fn options_are_listed() {
        let text = definitions();
        assert!(!text.contains("{options"), "a list is missing");
        for (call, list) in option_lists() {
            assert!(text.contains(&list), "{call}");
        }
    }

    #[test]
    fn examples_compile() {
        let (engine, constants) = bare_engine();
        let text = definitions();
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.trim_start_matches("///").trim())
            .collect();
        let examples: Vec<_> = lines
            .split(|line| line.starts_with("```"))
            .skip(1)
            .step_by(2)
            .map(|lines| lines.join("\n"))
            .collect();
        assert!(examples.len() > 15, "{} examples", examples.len());
        for example in examples {
            if let Err(error) = engine.compile_with_scope(&constants, &example) {
                panic!("{error}\n{example}");
            }
        }
    }
}
