//! The rules of a dataset and the options of `esm2` and `embed` as flags, all of them from their tables.

use super::wording::Wording;
use crate::{
    hint::{Hint, joined},
    job::{Dataset, EmbedOptions, FlagForm, ModelSpec, OptionFlag, OptionValue, Problems},
};
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint,
    builder::{PossibleValue, TypedValueParser},
    error::Error,
};
use std::{ffi::OsStr, sync::LazyLock};

/// What was given of a group of flags, by the names in scripts.
pub(super) type Given = Vec<(&'static str, OptionValue)>;

/// What was given of all flags.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags {
    /// Rules of the dataset.
    pub(super) rules: Given,
    /// Options of `esm2`.
    pub(super) model: Given,
    /// Options of `embed`.
    pub(super) embed: Given,
}

/// Flags that stand together in the help, under a title.
struct Group {
    title: &'static str,
    flags: Vec<OptionFlag>,
    place: fn(&mut Flags) -> &mut Given,
}

static GROUPS: LazyLock<[Group; 3]> = LazyLock::new(|| {
    [
        Group {
            title: "Dataset",
            flags: Dataset::flags(),
            place: |to| &mut to.rules,
        },
        Group {
            title: "Model",
            flags: ModelSpec::OPTIONS.flags(),
            place: |to| &mut to.model,
        },
        Group {
            title: "Run",
            flags: EmbedOptions::OPTIONS.flags(),
            place: |to| &mut to.embed,
        },
    ]
});

/// Where embeddings go. Scripts can do without.
const OUTPUT: &str = "output";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let arguments = GROUPS.iter().flat_map(|group| {
            let flags = group.flags.iter();
            flags.map(|flag| argument(flag, group.title))
        });
        command.args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for group in &*GROUPS {
            let given = group.flags.iter().filter_map(|flag| {
                let values = matches.get_many::<OptionValue>(flag.name)?;
                Some((flag.name, flag.form.joined(values.cloned().collect())))
            });
            *(group.place)(self) = given.collect();
        }
        Ok(())
    }
}

fn argument(flag: &'static OptionFlag, title: &'static str) -> Arg {
    let OptionFlag {
        name,
        form,
        doc,
        default,
        ..
    } = flag;
    let mut rest = doc.chars();
    let first = rest
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().to_string());
    let text = first + rest.as_str();
    let argument = Arg::new(*name)
        .long(&*flag.flag)
        .value_name(value_name(*form))
        .value_parser(Parser(flag))
        .value_hint(ValueHint::Other)
        .hide_possible_values(!matches!(form, FlagForm::Name(_) | FlagForm::Names(_)))
        .help(beginning(&text).to_owned())
        .long_help(format!("{text} [without it: {default}]"))
        .action(match form.is_repeated() {
            true => ArgAction::Append,
            false => ArgAction::Set,
        });
    let argument = match form {
        FlagForm::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        // Behind a number that is negative there may be a comma.
        FlagForm::Wholes => argument.allow_hyphen_values(true),
        _ => argument.allow_negative_numbers(true),
    };
    match *name {
        // Beside the other flags that a run cannot do without.
        OUTPUT => argument
            .short('o')
            .required(true)
            .value_name("OUT.parquet")
            .value_hint(ValueHint::AnyPath)
            .long_help(text),
        _ => argument.help_heading(title),
    }
}

/// A text up to where it goes into particulars.
fn beginning(text: &str) -> &str {
    let ends = [": ", "; ", ". ", " ("];
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    &text[..end.unwrap_or(text.len())]
}

fn value_name(form: FlagForm) -> &'static str {
    match form {
        FlagForm::Switch => "true|false",
        FlagForm::Whole => "N",
        FlagForm::Number => "NUMBER",
        FlagForm::Seconds => "SECONDS",
        FlagForm::Name(_) => "NAME",
        FlagForm::Names(_) => "NAME[,NAME..]",
        FlagForm::Wholes => "N[,N..]",
        FlagForm::Text => "TEXT",
        FlagForm::Entries => "NAME=VALUE[,..]",
        FlagForm::NameAndWhole(_) => "NAME[=N][,NAME=N]",
    }
}

/// Reads the value of a flag. What it may be is the matter of its table.
#[derive(Clone)]
struct Parser(&'static OptionFlag);

impl TypedValueParser for Parser {
    type Value = OptionValue;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OptionValue, Error> {
        let flag = self.0;
        let reworded = |problems: Problems| {
            let hint = problems.hint();
            let hint = hint.map(|hint| Wording::of_embed().reword(&hint));
            joined(&problems, hint.as_deref())
        };
        let read = move |text: &str| flag.read(text).map_err(reworded);
        read.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = self.0.form.names();
        // Some stand for names of a form.
        let names = names.iter().filter(|name| !name.contains('<'));
        (!self.0.form.names().is_empty())
            .then(|| Box::new(names.map(PossibleValue::new)) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: Flags,
    }

    #[test]
    fn flags_are_what_scripts_would_say() {
        let line = [
            "x",
            "-o",
            "a.parquet",
            "--layers",
            "-1,0",
            "--device",
            "cuda:0",
            "--device=cuda:1",
            "--long-sequences",
            "skip=2000",
            "--overwrite",
            "--resume=false",
            "--monitor-hz",
            "0",
        ];
        let Flags {
            rules,
            model,
            embed,
        } = Line::try_parse_from(line).unwrap().flags;
        let shown = |given: Given| {
            let given = given
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.describe()));
            given.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown(rules), "long_sequences: [\"skip\", 2000]");
        assert_eq!(shown(model), "device: [\"cuda:0\", \"cuda:1\"]");
        assert_eq!(
            shown(embed),
            "layers: [-1, 0], output: \"a.parquet\", overwrite: true, resume: false, monitor_hz: 0"
        );
    }

    #[test]
    fn what_is_wrong_is_said_of_the_flag() {
        let check = |line: &[&str], expect: &str| {
            let line = [&["x"], line].concat();
            let error = Line::try_parse_from(line).unwrap_err().to_string();
            assert!(error.contains(expect), "{expect}: {error}");
        };
        check(
            &["-o", "a.pq", "--readers", "0"],
            "'--readers <N>': `readers` is 0, but must be",
        );
        check(&["-o", "a.csv"], "name it `a.parquet`");
        check(
            &["-o", "a.pq", "--pooling", "avg"],
            "did you mean \"mean\"?",
        );
        check(&["-o", "a.pq", "--tokenbudget", "9"], "'--token-budget'");
        check(&[], "--output <OUT.parquet>");
    }
}
