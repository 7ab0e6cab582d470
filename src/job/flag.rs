//! An option as a flag of a command line: from a text to the value that a script would give.

use super::{OptionMap, OptionValue, Problems};
use std::fmt;

/// An option as a flag of a command line.
pub struct OptionFlag {
    /// Its name in scripts.
    pub name: &'static str,
    /// Its name on a command line, without the dashes before it.
    pub flag: String,
    /// How a text stands for its value.
    pub form: FlagForm,
    /// What it does.
    pub doc: String,
    /// What it is where nothing is given.
    pub default: String,
    check: Check,
}

/// What can be wrong with the value that a text stands for.
type Check = Box<dyn Fn(&OptionValue) -> Result<(), Problems> + Send + Sync>;

/// How a text stands for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagForm {
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// A number of seconds.
    Seconds,
    /// One of some names.
    Name(&'static [&'static str]),
    /// One of some names or several, with commas between them.
    Names(&'static [&'static str]),
    /// Whole numbers, with commas between them.
    Wholes,
    /// The text itself.
    Text,
    /// The path of a file or a folder.
    Path,
    /// Entries of a map such as `name=value`, with commas between them.
    Entries,
    /// One of some names, which a whole number may follow, and behind that entries of a map, as in
    /// `name=12,other=3`.
    NameAndWhole(&'static [&'static str]),
}

impl OptionFlag {
    pub(super) fn new(
        name: &'static str,
        form: FlagForm,
        doc: &str,
        default: &str,
        check: impl Fn(&OptionValue) -> Result<(), Problems> + Send + Sync + 'static,
    ) -> Self {
        // Code of scripts and of their strings is set off by backticks.
        let plain = |text: &str| text.replace("`\"", "`").replace("\"`", "`");
        Self {
            name,
            flag: name.replace('_', "-"),
            form,
            doc: plain(doc),
            default: plain(default).replace('`', ""),
            check: Box::new(check),
        }
    }

    /// The value that `text` stands for.
    ///
    /// # Errors
    /// The option cannot have it.
    pub fn read(&self, text: &str) -> Result<OptionValue, Problems> {
        let value = self.form.value(text);
        (self.check)(&value)?;
        Ok(value)
    }
}

impl fmt::Debug for OptionFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, form, .. } = self;
        write!(f, "OptionFlag({name}, {form:?})")
    }
}

impl FlagForm {
    /// The names that a value can have.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Switch => &["true", "false"],
            Self::Name(names) | Self::Names(names) | Self::NameAndWhole(names) => names,
            _ => &[],
        }
    }

    /// Whether a flag can be given more than once.
    pub fn is_repeated(self) -> bool {
        matches!(self, Self::Names(_) | Self::Wholes)
    }

    /// The value that several make together.
    pub fn joined(self, mut values: Vec<OptionValue>) -> OptionValue {
        if values.len() == 1 {
            return values.remove(0);
        }
        let items = values.into_iter().flat_map(|value| match value {
            OptionValue::List(items) => items,
            one => vec![one],
        });
        OptionValue::List(items.collect())
    }

    fn value(self, text: &str) -> OptionValue {
        let items = || text.split(',').map(str::trim);
        match self {
            Self::Name(_) | Self::Text | Self::Path => text.into(),
            Self::Switch | Self::Whole | Self::Number | Self::Seconds => plain_value(text),
            Self::Names(_) => match text.contains(',') {
                true => OptionValue::List(items().map(Into::into).collect()),
                false => text.into(),
            },
            Self::Wholes => OptionValue::List(items().map(plain_value).collect()),
            Self::Entries => entries(text),
            Self::NameAndWhole(_) => {
                let (first, options) = match text.split_once(',') {
                    Some((first, rest)) => (first, Some(entries(rest))),
                    None => (text, None),
                };
                let (name, number) = match first.split_once('=') {
                    Some((name, number)) => (name, Some(plain_value(number))),
                    None => (first, None),
                };
                let name = [OptionValue::from(name)].into_iter();
                OptionValue::List(name.chain(number).chain(options).collect())
            }
        }
    }
}

/// The map that entries such as `name=value` make, with commas between them.
fn entries(text: &str) -> OptionValue {
    let items = text.split(',').map(str::trim);
    let entry = |item: &str| match item.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), plain_value(value.trim())),
        None => (item.to_owned(), "".into()),
    };
    OptionValue::Map(items.map(entry).collect::<OptionMap>())
}

/// A flag or a number, and else the text.
fn plain_value(text: &str) -> OptionValue {
    if let Ok(flag) = text.parse() {
        return OptionValue::Flag(flag);
    }
    if let Ok(number) = text.parse() {
        return OptionValue::Whole(number);
    }
    match text.parse() {
        Ok(number) => OptionValue::Decimal(number),
        Err(_) => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        hint::Hint,
        job::{Dataset, EmbedOptions, ModelSpec, MutantsTable, ScoreOptions},
    };

    #[test]
    fn texts_are_read_as_scripts_would_say_it() {
        let flags = [
            EmbedOptions::OPTIONS.flags(),
            ModelSpec::OPTIONS.flags(),
            Dataset::flags(),
            MutantsTable::OPTIONS.flags(),
        ];
        let flags: Vec<_> = flags.into_iter().flatten().collect();
        let check = |name: &str, text: &str, expect: Result<&str, &str>| {
            let flag = flags.iter().find(|flag| flag.name == name).unwrap();
            match (flag.read(text), expect) {
                (Ok(value), Ok(expect)) => assert_eq!(value.describe(), expect, "{name} {text}"),
                (Err(problems), Err(expect)) => {
                    let text = problems.in_full();
                    assert!(text.contains(expect), "{text}");
                }
                (result, _) => panic!("{name} {text}: {result:?}"),
            }
        };
        check("readers", "4", Ok("4"));
        check("readers", "0", Err("a whole number from 1 to 256"));
        check("readers", "many", Err("`readers` is \"many\""));
        check("commit_every", "0.5", Ok("0.5"));
        check("commit_every", "inf", Err("seconds from 0.01"));
        check("overwrite", "true", Ok("true"));
        check("overwrite", "yes", Err("true or false"));
        check("pooling", "cls", Ok("\"cls\""));
        check("pooling", "average", Err("did you mean \"mean\"?"));
        check("layers", "-1, 6", Ok("[-1, 6]"));
        check("layers", "6,6", Err("different whole numbers"));
        check("output", "123.parquet", Ok("\"123.parquet\""));
        check("output", "a.csv", Err("name it `a.parquet`"));
        check(
            "thresholds",
            "fill=0.5, wait_ms=7",
            Ok("#{ fill: 0.5, wait_ms: 7 }"),
        );
        check("sequence", "MKJ", Err("residue 3 of `sequence` is `J`"));
        check("column", "7", Ok("\"7\""));
        check("offset", "-5", Ok("-5"));
        check("thresholds", "fil=0.5", Err("did you mean `fill`?"));
        check(
            "thresholds",
            "fill",
            Err("`fill` is \"\", but must be a number"),
        );
        check("device", "cuda:0,cuda:2", Ok("[\"cuda:0\", \"cuda:2\"]"));
        check("device", "gpu", Err("did you mean \"cuda\"?"));
        check("mock", "fail_with=lost", Ok("#{ fail_with: \"lost\" }"));
        check("min_length", "10", Ok("10"));
        check("min_length", "-1", Err("a whole number"));
        check("take", "many", Err("`take` is \"many\""));
        check("unknown_residues", "strip", Ok("\"strip\""));
        check("unknown_residues", "strpi", Err("did you mean \"strip\"?"));
        check("long_sequences", "skip=2000", Ok("[\"skip\", 2000]"));
        check("long_sequences", "skip", Ok("[\"skip\"]"));
        check("long_sequences", "skip=x", Err("`long_sequences` is \"x\""));
        check(
            "long_sequences",
            "window=1022,overlap=256",
            Ok("[\"window\", 1022, #{ overlap: 256 }]"),
        );
        check(
            "long_sequences",
            "window,overlap=0",
            Ok("[\"window\", #{ overlap: 0 }]"),
        );
        check("long_sequences", "window=9,overlap=5", Err("from 0 to 4"));
        check("long_sequences", "full", Ok("[\"full\"]"));
        check("long_sequences", "full=9", Err("takes no number"));
    }

    #[test]
    fn closures_are_no_flags_and_all_else_is() {
        let names: Vec<_> = EmbedOptions::OPTIONS
            .flags()
            .iter()
            .map(|flag| flag.name)
            .collect();
        let values = EmbedOptions::OPTIONS.map(&EmbedOptions::default());
        assert_eq!(names.len(), values.len());
        assert!(names.iter().all(|name| values.contains_key(*name)));
    }

    #[test]
    fn scores_have_the_flags_of_runs_and_no_others() {
        let flags = ScoreOptions::flags();
        let names: Vec<_> = flags.iter().map(|flag| flag.name).collect();
        assert_eq!(names[..3], ["method", "output", "readers"]);
        assert!(names.contains(&"overwrite"), "{names:?}");
        assert!(
            !names.contains(&"pooling") && !names.contains(&"on_sample"),
            "{names:?}"
        );
        let outputs = flags.iter().filter(|flag| flag.name == "output");
        let [output] = outputs.collect::<Vec<_>>()[..] else {
            panic!("one output: {names:?}");
        };
        assert!(output.read("scores.parquet").is_err());
    }
}
