//! Calls and properties that there are not, explained by those that there are.

use super::{
    finding::{Finding, did_you_mean, lower_first},
    signature::{Signature, plain_type},
};
use crate::script::api::TYPES;
use rhai::Engine;

/// Explains a call like `min_lenght (Dataset, i64)` that fits no function.
pub(super) fn explain(call: &str, engine: &Engine) -> Finding {
    let (name, types) = call.split_once(" (").unwrap_or((call, ""));
    let types: Vec<String> = types
        .trim_end_matches(')')
        .split(", ")
        .filter(|type_name| !type_name.is_empty())
        .map(plain_type)
        .collect();
    let all = Signature::all(engine);
    let given = types.join(", ");
    let receiver = types
        .first()
        .filter(|first| TYPES.contains(&first.as_str()));

    let same_name: Vec<_> = all
        .iter()
        .filter(|s| s.name == name && !s.is_property)
        .collect();
    if !same_name.is_empty() {
        let mut calls: Vec<_> = same_name
            .iter()
            .map(|s| format!("`{}`", s.describe()))
            .collect();
        calls.sort();
        calls.dedup();
        let message = format!("`{name}` cannot be called with ({given})");
        // Rhai's own operators and conversions have dozens of forms, which help nobody.
        let hint = (calls.len() <= 6).then(|| format!("it is called as {}", calls.join(" or ")));
        let mut finding = Finding::new(message, hint);
        if types.iter().any(|type_name| type_name == "char") {
            let hint = "single quotes make a character: strings stand in double quotes";
            finding.hints.insert(0, hint.to_owned());
        }
        finding.hints.extend(bare_argument(name, &types));
        return finding;
    }
    if let Some(receiver) = receiver {
        let message = format!("`{receiver}` has no method `{name}`");
        if all
            .iter()
            .any(|s| s.is_property && s.name == name && s.is_of(receiver))
        {
            let hint = format!("`{name}` is a property: write it without parentheses");
            return Finding::new(message, Some(hint));
        }
        let methods: Vec<_> = all
            .iter()
            .filter(|s| s.is_of(receiver))
            .map(|s| s.name.as_str())
            .collect();
        return Finding::new(message, did_you_mean(name, &methods));
    }
    let names: Vec<_> = all
        .iter()
        .filter(|s| !s.is_property)
        .map(|s| s.name.as_str())
        .collect();
    Finding::new(
        format!("there is no function `{name}`"),
        did_you_mean(name, &names),
    )
}

/// What an argument lacks that stands where `embed`, `score` and `esm2` take something else.
fn bare_argument(name: &str, types: &[String]) -> Option<String> {
    let is = |at: usize, expect: &str| types.get(at).is_some_and(|type_name| type_name == expect);
    let is_text = |at: usize| is(at, "string");
    let hint = match name {
        "embed" | "contacts" | "score" | "perplexity" if is_text(0) => {
            "a model is loaded first: `esm2(\"models/esm2\")`"
        }
        "embed" | "contacts" | "perplexity" if is_text(1) => {
            "the records of a file are `fasta(\"proteins.fa\")`"
        }
        "embed" | "contacts" | "score" | "perplexity" if is_text(2) => {
            "options stand in a map: `#{ output: \"embeddings.parquet\" }`"
        }
        "score" if is(1, "Dataset") => {
            "mutants are scored: `all_single_mutants(fasta(\"proteins.fa\"))` has all with one mutation, and \
             `perplexity` takes proteins themselves"
        }
        "score" if is_text(1) => {
            "the mutants of a table are `mutants(\"dms.csv\", #{ fasta: \"wild_type.fa\" })`"
        }
        "mutants" if is_text(0) && types.len() == 1 => {
            "the protein without mutations is missing: `#{ sequence: \"MKT…\" }`, or \
             `#{ fasta: \"wild_type.fa\" }`"
        }
        "esm2" if is_text(1) => "options stand in a map: `#{ device: \"cpu\" }`",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Explains Rhai's "Unknown property 'x' - a getter is not registered for type 'Run'".
pub(super) fn explain_property(message: &str, engine: &Engine) -> Finding {
    let mut quoted = message.split('\'').skip(1).step_by(2);
    let (Some(name), Some(type_name)) = (quoted.next(), quoted.next()) else {
        return Finding::new(lower_first(message), None);
    };
    let all = Signature::all(engine);
    let of_type: Vec<_> = all.iter().filter(|s| s.is_of(type_name)).collect();
    if of_type.iter().any(|s| s.name == name && !s.is_property) {
        return Finding::new(
            format!("`{type_name}` has no property `{name}`"),
            Some(format!("`{name}` is a method: write `{name}(...)`")),
        );
    }
    if message.contains("setter") {
        return Finding::new(
            format!("the property `{name}` of `{type_name}` cannot be changed"),
            None,
        );
    }
    let properties: Vec<_> = of_type
        .iter()
        .filter(|s| s.is_property)
        .map(|s| s.name.as_str())
        .collect();
    Finding::new(
        format!("`{type_name}` has no property `{name}`"),
        did_you_mean(name, &properties),
    )
}
