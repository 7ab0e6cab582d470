//! The flags of a call, as the command line reads them.

use super::{
    call::{Call, Flags, OfCall},
    wording::Wording,
};
use crate::{
    hint::{Hint, joined},
    job::{FlagForm, OptionFlag, OptionValue, Problems},
};
use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint,
    builder::{PossibleValue, TypedValueParser},
    error::Error,
};
use std::{ffi::OsStr, marker::PhantomData};

/// What was given of the flags of a call.
#[derive(Clone, Debug)]
pub(super) struct FlagsOf<C> {
    pub(super) given: Flags,
    call: PhantomData<C>,
}

/// Where the answers go. Scripts can do without some.
const OUTPUT: &str = "output";

impl<C: OfCall> Args for FlagsOf<C> {
    fn augment_args(command: Command) -> Command {
        let call = C::call();
        let arguments = call.groups().iter().flat_map(|group| {
            let flags = group.flags.iter();
            flags.map(|flag| (group.beside)(argument(call, flag, group.title)))
        });
        command.args(arguments)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<C: OfCall> FromArgMatches for FlagsOf<C> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self {
            given: Flags::default(),
            call: PhantomData,
        };
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for group in C::call().groups() {
            let given = group.flags.iter().filter_map(|flag| {
                let values = matches.get_many::<OptionValue>(flag.name)?;
                Some((flag.name, flag.form.joined(values.cloned().collect())))
            });
            *(group.place)(&mut self.given) = given.collect();
        }
        Ok(())
    }
}

fn argument(call: &'static Call, flag: &'static OptionFlag, title: &'static str) -> Arg {
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
        .value_parser(Parser(call, flag))
        .value_hint(match form {
            FlagForm::Path => ValueHint::AnyPath,
            _ => ValueHint::Other,
        })
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
            .value_name(call.output)
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
        FlagForm::Path => "PATH",
        FlagForm::Entries => "NAME=VALUE[,..]",
        FlagForm::NameAndWhole(_) => "NAME[=N][,NAME=N]",
    }
}

/// Reads the value of a flag. What it may be is the matter of its table.
#[derive(Clone)]
struct Parser(&'static Call, &'static OptionFlag);

impl TypedValueParser for Parser {
    type Value = OptionValue;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<OptionValue, Error> {
        let Self(call, flag) = *self;
        let reworded = move |problems: Problems| {
            let hint = problems.hint();
            let hint = hint.map(|hint| Wording::of(call).reword(&hint));
            joined(&problems, hint.as_deref())
        };
        let read = move |text: &str| flag.read(text).map_err(reworded);
        read.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = self.1.form.names();
        // Some stand for names of a form.
        let names = names.iter().filter(|name| !name.contains('<'));
        (!self.1.form.names().is_empty())
            .then(|| Box::new(names.map(PossibleValue::new)) as Box<dyn Iterator<Item = _>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::call::{Embed, Given};
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: FlagsOf<Embed>,
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
            rules, model, run, ..
        } = Line::try_parse_from(line).unwrap().flags.given;
        let shown = |given: Given| {
            let given = given
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.describe()));
            given.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(shown(rules), "long_sequences: [\"skip\", 2000]");
        assert_eq!(shown(model), "device: [\"cuda:0\", \"cuda:1\"]");
        assert_eq!(
            shown(run),
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
