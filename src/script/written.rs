//! A script that nobody wrote by hand: one run, as a command line asks for it.

use super::literal::{literal, text_literal};
use crate::job::OptionValue;
use std::fmt::Write;

/// A call of `embed` with all that it needs. Options and rules have their names in scripts.
#[derive(Clone, Debug, Default)]
pub struct EmbedScript {
    /// The sources of the dataset, at least one.
    pub sources: Vec<String>,
    /// The rules of the dataset; the items of a value are the arguments of the call.
    pub rules: Vec<(&'static str, OptionValue)>,
    /// The model.
    pub model: String,
    /// The options of `esm2`.
    pub model_options: Vec<(&'static str, OptionValue)>,
    /// The options of `embed`.
    pub options: Vec<(&'static str, OptionValue)>,
}

const HEAD: &str = "\
// Written by `runner embed`. `runner exec` runs it, and goes on with an output that was begun.
";

impl EmbedScript {
    /// The text of the script.
    pub fn text(&self) -> String {
        let sources: Vec<_> = self
            .sources
            .iter()
            .map(|source| text_literal(source))
            .collect();
        let sources = match sources.as_slice() {
            [source] => source.clone(),
            sources => format!("[{}]", sources.join(", ")),
        };
        let rules = self.rules.iter().map(|(name, value)| {
            let arguments: Vec<_> = value.items().iter().map(literal).collect();
            format!("\n    .{name}({})", arguments.join(", "))
        });
        let rules: String = rules.collect();
        let model = text_literal(&self.model);
        let model_options = as_argument(&self.model_options);
        let options = as_argument(&self.options);
        format!(
            "{HEAD}\
             let proteins = fasta({sources}){rules};\n\
             let model = esm2({model}{model_options});\n\
             \n\
             let run = embed(model, proteins{options});\n\
             print(run);\n"
        )
    }
}

/// Options as a further argument of a call, if there are some.
fn as_argument(options: &[(&str, OptionValue)]) -> String {
    if options.is_empty() {
        return String::new();
    }
    let mut text = ", #{\n".to_owned();
    for (name, value) in options {
        writeln!(text, "    {name}: {},", literal(value)).expect("a string takes all");
    }
    text + "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_reads_well() {
        let script = EmbedScript {
            sources: vec!["a.fa".to_owned(), "b\".fa".to_owned()],
            rules: vec![
                ("min_length", 10_i64.into()),
                (
                    "long_sequences",
                    OptionValue::List(vec!["skip".into(), 2000_i64.into()]),
                ),
            ],
            model: "models/esm2".to_owned(),
            model_options: vec![("device", "cpu".into())],
            options: vec![("output", "out.parquet".into()), ("overwrite", true.into())],
        };
        let expect = "\
let proteins = fasta([\"a.fa\", \"b\\\".fa\"])
    .min_length(10)
    .long_sequences(\"skip\", 2000);
let model = esm2(\"models/esm2\", #{
    device: \"cpu\",
});

let run = embed(model, proteins, #{
    output: \"out.parquet\",
    overwrite: true,
});
print(run);
";
        assert_eq!(script.text().strip_prefix(HEAD), Some(expect));
        let least = EmbedScript {
            sources: vec!["-".to_owned()],
            model: "m".to_owned(),
            ..EmbedScript::default()
        };
        assert!(least.text().contains(
            "fasta(\"-\");\nlet model = esm2(\"m\");\n\nlet run = embed(model, proteins);"
        ));
    }
}
