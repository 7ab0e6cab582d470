//! Hints for scripts in the words of a command line.

use super::call::Call;

/// What only scripts have, and what stands for it in a command line.
const PHRASES: [(&str, &str); 3] = [
    ("run the script again", "run the same command again"),
    (" in the options of `embed`", ""),
    (", or give it to the script as an argument: `args[0]`", ""),
];

/// The words of a command.
pub(super) struct Wording {
    /// What it calls as options of `esm2` and `embed` are called.
    options: Vec<&'static str>,
    /// The rules of a dataset that it knows.
    rules: Vec<&'static str>,
    /// How it reads standard input.
    pipe: String,
}

impl Wording {
    /// Those of the command that stands for a call.
    pub(super) fn of(call: &'static Call) -> Self {
        Self {
            options: call.options().collect(),
            rules: call.rules().collect(),
            pipe: format!("runner {} - …", call.name),
        }
    }

    /// Those of `runner parity`.
    pub(super) fn of_parity() -> Self {
        Self {
            options: vec!["device", "dtype", "int8_products"],
            rules: vec!["take"],
            pipe: "runner parity MODEL -".to_owned(),
        }
    }

    /// A hint for scripts in these words.
    pub(super) fn reword(&self, hint: &str) -> String {
        let mut text = hint.replace(
            "runner exec job.rhai`, with `fasta(\"-\")`",
            &format!("{}`", self.pipe),
        );
        for (there, here) in PHRASES {
            text = text.replace(there, here);
        }
        // What stands between backquotes is code.
        let parts = text.split('`').enumerate();
        let parts = parts.map(|(n, part)| match n % 2 {
            1 => self.code(part).unwrap_or_else(|| part.to_owned()),
            _ => part.to_owned(),
        });
        set(&parts.collect::<Vec<_>>().join("`"))
    }

    /// Code of a script as a flag, if it is one here.
    fn code(&self, code: &str) -> Option<String> {
        if let Some(call) = code.strip_prefix('.') {
            let (name, arguments) = call.strip_suffix(')')?.split_once('(')?;
            let value = values(arguments).join("=");
            return self.rules.contains(&name).then(|| given(name, &value));
        }
        let (name, value) = match code.split_once(": ") {
            Some((name, value)) => (name, Some(value)),
            None => (code, None),
        };
        if !self.options.contains(&name) {
            return None;
        }
        Some(match value {
            None | Some("true") => flag(name),
            Some("false") => format!("{}=false", flag(name)),
            Some(value) => {
                let list = value
                    .strip_prefix('[')
                    .and_then(|list| list.strip_suffix(']'));
                given(name, &values(list.unwrap_or(value)).join(","))
            }
        })
    }
}

/// An option as a flag.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// A flag with its value.
fn given(name: &str, value: &str) -> String {
    format!("{} {value}", flag(name))
}

/// Values with commas between them, without the quotes of texts.
fn values(list: &str) -> Vec<&str> {
    let values = list.split(',').map(str::trim);
    values.map(|value| value.trim_matches('"')).collect()
}

/// The text in which flags are added and not set: "set `--device` to \"cpu\"" says "add `--device cpu`" then.
fn set(text: &str) -> String {
    let mut parts = text.split("set `--");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        whole += "add `--";
        let to = part.split_once("` to \"").and_then(|(flag, rest)| {
            let (value, rest) = rest.split_once('"')?;
            (!flag.contains('`')).then(|| format!("{flag} {value}`{rest}"))
        });
        whole += to.as_deref().unwrap_or(part);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::{Embed, OfCall, Score};

    #[test]
    fn hints_speak_as_whoever_reads_them() {
        let wording = Wording::of(Embed::call());
        let check = |hint: &str, expect: &str| assert_eq!(wording.reword(hint), expect);
        check(
            "choose another output, or set `overwrite: true` to replace it",
            "choose another output, or add `--overwrite` to replace it",
        );
        check(
            "set `resume: false` and `overwrite: true`",
            "add `--resume=false` and `--overwrite`",
        );
        check("raise `token_budget`", "raise `--token-budget`");
        check(
            "put `a.fa` back, and run the script again",
            "put `a.fa` back, and run the same command again",
        );
        check(
            "install the driver, or set `device` to \"cpu\"",
            "install the driver, or add `--device cpu`",
        );
        check(
            "take `device: [\"cuda:0\", \"cuda:2\"]` (A) or `device: \"cuda:1\"` (B)",
            "take `--device cuda:0,cuda:2` (A) or `--device cuda:1` (B)",
        );
        check(
            "`.long_sequences(\"truncate\", 498)` embeds the first 498",
            "`--long-sequences truncate=498` embeds the first 498",
        );
        check(
            "`.unknown_residues(\"unk\")` embeds it as unknown",
            "`--unknown-residues unk` embeds it as unknown",
        );
        check(
            "write `.long_sequences(\"full\")`, and `token_budget: 102` in the options of `embed`; or",
            "write `--long-sequences full`, and `--token-budget 102`; or",
        );
        check(
            "pipe it: `curl -s https://x/a.fa | runner exec job.rhai`, with `fasta(\"-\")`",
            "pipe it: `curl -s https://x/a.fa | runner embed - …`",
        );
        check(
            "write the whole path, or give it to the script as an argument: `args[0]`",
            "write the whole path",
        );
        check("call it `model.bin`", "call it `model.bin`");
    }

    #[test]
    fn a_command_says_what_it_knows() {
        let wording = Wording::of_parity();
        let check = |hint: &str, expect: &str| assert_eq!(wording.reword(hint), expect);
        check("set `device` to \"cpu\"", "add `--device cpu`");
        check("lower `token_budget`", "lower `token_budget`");
        check("leave `.take(5)` out", "leave `--take 5` out");
        let score = Wording::of(Score::call());
        assert_eq!(
            score.reword("give `sequence: \"MKT…\"`, or lower `offset`"),
            "give `--sequence MKT…`, or lower `--offset`"
        );
    }
}
