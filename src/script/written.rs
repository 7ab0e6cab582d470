//! A script that nobody wrote by hand: one run, as a command line asks for it.

use super::literal::{literal, text_literal};
use crate::job::OptionValue;
use std::fmt::Write;

/// A script with one call that runs a model. Options and rules have their names in scripts.
#[derive(Clone, Debug)]
pub struct CallScript {
    /// What is called, which is also the name of the command: `embed`.
    pub call: &'static str,
    /// What the call is about.
    pub subject: Subject,
    /// The model.
    pub model: String,
    /// The options of `esm2`.
    pub model_options: Options,
    /// The options of the call.
    pub options: Options,
}

/// Options or rules, in the order in which they are written.
type Options = Vec<(&'static str, OptionValue)>;

/// What a call is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Proteins.
    Proteins(Proteins),
    /// All single mutants of proteins.
    SingleMutants(Proteins),
    /// The mutants of a table: its file, and the options of `mutants`.
    Mutants(String, Options),
}

/// A dataset.
#[derive(Clone, Debug)]
pub struct Proteins {
    /// Its sources, at least one.
    pub sources: Vec<String>,
    /// Its rules; the items of a value are the arguments of the call.
    pub rules: Options,
}

impl CallScript {
    /// The text of the script.
    pub fn text(&self) -> String {
        let Self { call, subject, .. } = self;
        let (definition, argument) = match subject {
            Subject::Proteins(proteins) => (proteins.text(), "proteins"),
            Subject::SingleMutants(proteins) => (proteins.text(), "all_single_mutants(proteins)"),
            Subject::Mutants(table, options) => {
                let (table, options) = (text_literal(table), as_argument(options));
                (format!("let dms = mutants({table}{options});\n"), "dms")
            }
        };
        let model = text_literal(&self.model);
        let model_options = as_argument(&self.model_options);
        let options = as_argument(&self.options);
        format!(
            "// Written by `runner {call}`. `runner exec` runs it, and goes on with an output that was begun.\n\
             {definition}\
             let model = esm2({model}{model_options});\n\
             \n\
             let run = {call}(model, {argument}{options});\n\
             print(run);\n"
        )
    }
}

impl Proteins {
    fn text(&self) -> String {
        let sources = self.sources.iter().map(|source| text_literal(source));
        let sources = match sources.collect::<Vec<_>>().as_slice() {
            [source] => source.clone(),
            sources => format!("[{}]", sources.join(", ")),
        };
        let rules = self.rules.iter().map(|(name, value)| {
            let arguments: Vec<_> = value.items().iter().map(literal).collect();
            format!("\n    .{name}({})", arguments.join(", "))
        });
        let rules: String = rules.collect();
        format!("let proteins = fasta({sources}){rules};\n")
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
        let proteins = Proteins {
            sources: vec!["a.fa".to_owned(), "b\".fa".to_owned()],
            rules: vec![
                ("min_length", 10_i64.into()),
                (
                    "long_sequences",
                    OptionValue::List(vec!["skip".into(), 2000_i64.into()]),
                ),
            ],
        };
        let script = CallScript {
            call: "embed",
            subject: Subject::Proteins(proteins),
            model: "models/esm2".to_owned(),
            model_options: vec![("device", "cpu".into())],
            options: vec![("output", "out.parquet".into()), ("overwrite", true.into())],
        };
        let expect = "\
// Written by `runner embed`. `runner exec` runs it, and goes on with an output that was begun.
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
        assert_eq!(script.text(), expect);
    }

    #[test]
    fn a_call_is_about_what_it_says() {
        let check = |call, subject, expect: &str| {
            let script = CallScript {
                call,
                subject,
                model: "m".to_owned(),
                model_options: Vec::new(),
                options: Vec::new(),
            };
            let text = script.text();
            let (_, code) = text.split_once('\n').unwrap();
            assert_eq!(code, expect);
        };
        let proteins = Proteins {
            sources: vec!["-".to_owned()],
            rules: Vec::new(),
        };
        check(
            "embed",
            Subject::Proteins(proteins.clone()),
            "let proteins = fasta(\"-\");\nlet model = esm2(\"m\");\n\nlet run = embed(model, proteins);\nprint(run);\n",
        );
        check(
            "score",
            Subject::SingleMutants(proteins),
            "let proteins = fasta(\"-\");\nlet model = esm2(\"m\");\n\n\
             let run = score(model, all_single_mutants(proteins));\nprint(run);\n",
        );
        check(
            "score",
            Subject::Mutants("a.csv".to_owned(), vec![("offset", 24_i64.into())]),
            "let dms = mutants(\"a.csv\", #{\n    offset: 24,\n});\nlet model = esm2(\"m\");\n\n\
             let run = score(model, dms);\nprint(run);\n",
        );
    }
}
