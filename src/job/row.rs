//! A row of a table of options: what one may be, how it gets to its place, and what is said of it.

use super::{
    FlagForm, OptionDoc, OptionMap, OptionValue, Problem, Problems, options::OptionReader,
};
use std::{
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// An option.
#[derive(Debug)]
pub(super) struct OptionRow<T> {
    pub(super) name: &'static str,
    /// What it does, for the documentation: without a capital and a final dot.
    doc: &'static str,
    /// The same for a command line, where that has other words.
    flag_doc: Option<&'static str>,
    /// What holds without it, in words, where its default is no value.
    otherwise: &'static str,
    pub(super) effect: Effect,
    kind: Kind<T>,
    /// Its value as a script would write it; nothing for a closure, which the script language keeps.
    pub(super) get: fn(&T) -> OptionValue,
}

/// What an option may be, and how it gets to its place.
#[derive(Debug)]
enum Kind<T> {
    Whole(RangeInclusive<i64>, fn(&mut T, i64)),
    Number(RangeInclusive<f64>, fn(&mut T, f64)),
    Seconds(RangeInclusive<f64>, fn(&mut T, f64)),
    Flag(fn(&mut T, bool)),
    /// One of some names, of which one that is no name is refused.
    Choice(&'static [&'static str], fn(&mut T, &str) -> Option<()>),
    /// One of some names or an array of them: which there are, whether one is a name, what mends others, and how
    /// they get to their place.
    Choices(
        &'static [&'static str],
        fn(&str) -> bool,
        fn(&[OptionValue]) -> Option<String>,
        fn(&mut T, &[&str]) -> Result<(), Problem>,
    ),
    /// Different whole numbers.
    Wholes(fn(&mut T, Vec<i64>)),
    /// A text that is not empty: what is expected, and what can be wrong with it.
    Text(
        &'static str,
        fn(&str) -> Result<(), Problem>,
        fn(&mut T, String),
    ),
    /// Different texts that are not empty, in an array or with commas between them: what is expected.
    Texts(&'static str, fn(&mut T, Vec<String>)),
    /// A path: what is expected, and what can be wrong with it.
    Path(
        &'static str,
        fn(&Path) -> Result<(), Problem>,
        fn(&mut T, PathBuf),
    ),
    /// A map, which has a table of its own.
    Map(
        fn(&mut T, OptionMap) -> Result<(), Problems>,
        fn() -> Vec<OptionDoc>,
    ),
    /// A closure, such as this one.
    Closure(&'static str),
}

/// What of an output can depend on an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing, but how and where it is made.
    Nothing,
    /// The last bits of values at most, and these only where another kind of device computes: how sequences
    /// are batched changes none. An output says what it was made with.
    LastBits,
    /// Values and rows.
    Values,
}

impl<T> OptionRow<T> {
    pub(super) const fn whole(
        name: &'static str,
        range: RangeInclusive<i64>,
        set: fn(&mut T, i64),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Whole(range, set), get)
    }

    pub(super) const fn number(
        name: &'static str,
        range: RangeInclusive<f64>,
        set: fn(&mut T, f64),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Number(range, set), get)
    }

    pub(super) const fn seconds(
        name: &'static str,
        range: RangeInclusive<f64>,
        set: fn(&mut T, f64),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Seconds(range, set), get)
    }

    pub(super) const fn flag(
        name: &'static str,
        set: fn(&mut T, bool),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Flag(set), get)
    }

    pub(super) const fn choice(
        name: &'static str,
        names: &'static [&'static str],
        set: fn(&mut T, &str) -> Option<()>,
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Choice(names, set), get)
    }

    pub(super) const fn choices(
        name: &'static str,
        names: &'static [&'static str],
        is_name: fn(&str) -> bool,
        hint: fn(&[OptionValue]) -> Option<String>,
        set: fn(&mut T, &[&str]) -> Result<(), Problem>,
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Choices(names, is_name, hint, set), get)
    }

    pub(super) const fn wholes(
        name: &'static str,
        set: fn(&mut T, Vec<i64>),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Wholes(set), get)
    }

    pub(super) const fn text(
        name: &'static str,
        expected: &'static str,
        check: fn(&str) -> Result<(), Problem>,
        set: fn(&mut T, String),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Text(expected, check, set), get)
    }

    pub(super) const fn texts(
        name: &'static str,
        expected: &'static str,
        set: fn(&mut T, Vec<String>),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Texts(expected, set), get)
    }

    pub(super) const fn path(
        name: &'static str,
        expected: &'static str,
        check: fn(&Path) -> Result<(), Problem>,
        set: fn(&mut T, PathBuf),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Path(expected, check, set), get)
    }

    pub(super) const fn map(
        name: &'static str,
        read: fn(&mut T, OptionMap) -> Result<(), Problems>,
        docs: fn() -> Vec<OptionDoc>,
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Map(read, docs), get)
    }

    pub(super) const fn closure(name: &'static str, example: &'static str) -> Self {
        Self::new(name, Kind::Closure(example), |_| OptionValue::Nothing)
    }

    const fn new(name: &'static str, kind: Kind<T>, get: fn(&T) -> OptionValue) -> Self {
        Self {
            name,
            doc: "",
            flag_doc: None,
            otherwise: "none",
            effect: Effect::Nothing,
            kind,
            get,
        }
    }

    /// The row with what the documentation says.
    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// The row with what the help of a command line says in place of the documentation.
    pub(super) const fn flag_doc(mut self, doc: &'static str) -> Self {
        self.flag_doc = Some(doc);
        self
    }

    /// The row with what holds where nothing is given.
    pub(super) const fn otherwise(mut self, otherwise: &'static str) -> Self {
        self.otherwise = otherwise;
        self
    }

    /// The row of an option on which this depends.
    pub(super) const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Whether it is a closure, which the script language keeps for itself.
    pub(super) fn is_closure(&self) -> bool {
        matches!(self.kind, Kind::Closure(_))
    }

    /// Whether the report shows it among the settings: closures are nothing to show, and maps have a table
    /// of their own.
    pub(super) fn is_setting(&self) -> bool {
        !matches!(self.kind, Kind::Map(..) | Kind::Closure(_))
    }

    /// How a text on a command line stands for it, unless it is a closure.
    pub(super) fn flag_form(&self) -> Option<FlagForm> {
        Some(match self.kind {
            Kind::Whole(..) => FlagForm::Whole,
            Kind::Number(..) => FlagForm::Number,
            Kind::Seconds(..) => FlagForm::Seconds,
            Kind::Flag(_) => FlagForm::Switch,
            Kind::Choice(names, _) => FlagForm::Name(names),
            Kind::Choices(names, ..) => FlagForm::Names(names),
            Kind::Wholes(_) => FlagForm::Wholes,
            Kind::Map(..) => FlagForm::Entries,
            Kind::Path(..) => FlagForm::Path,
            Kind::Closure(_) => return None,
            _ => FlagForm::Text,
        })
    }

    /// What a command line says of it.
    pub(super) fn flag_text(&self, doc: &OptionDoc) -> String {
        self.flag_doc
            .map_or_else(|| doc.text.clone(), str::to_owned)
    }

    /// Brings what a script gave to its place in `options`.
    pub(super) fn read(&self, reader: &mut OptionReader, options: &mut T) {
        let name = self.name;
        match &self.kind {
            Kind::Whole(range, set) => {
                if let Some(number) = reader.whole(name, range.clone()) {
                    set(options, number);
                }
            }
            Kind::Number(range, set) => {
                if let Some(number) = reader.number(name, range.clone()) {
                    set(options, number);
                }
            }
            Kind::Seconds(range, set) => {
                if let Some(seconds) = reader.seconds(name, range.clone()) {
                    set(options, seconds);
                }
            }
            Kind::Flag(set) => {
                if let Some(flag) = reader.flag(name) {
                    set(options, flag);
                }
            }
            // The value is at its place when it is known to be one, so nothing is left to do.
            Kind::Choice(names, set) => {
                reader.choice(name, names, |text| set(options, text));
            }
            Kind::Choices(names, is_name, hint, set) => {
                reader.choices(name, names, is_name, hint, |texts| set(options, texts));
            }
            Kind::Wholes(set) => {
                if let Some(numbers) = reader.whole_list(name) {
                    set(options, numbers);
                }
            }
            Kind::Text(expected, check, set) => {
                if let Some(text) = reader.checked_text(name, expected, check) {
                    set(options, text);
                }
            }
            Kind::Texts(expected, set) => {
                if let Some(texts) = reader.text_list(name, expected) {
                    set(options, texts);
                }
            }
            Kind::Path(expected, check, set) => {
                if let Some(path) = reader.checked_path(name, expected, check) {
                    set(options, path);
                }
            }
            Kind::Map(read, _) => {
                reader.map(name, |map| read(options, map));
            }
            // A closure was taken out before; what is left under its name is something else.
            Kind::Closure(example) => {
                reader.refuse_any(name, &format!("a closure, such as {example}"));
            }
        }
    }

    /// Its value for people.
    pub(super) fn setting(&self, options: &T) -> String {
        match ((self.get)(options), &self.kind) {
            (OptionValue::Nothing, _) => self.otherwise.to_owned(),
            (OptionValue::List(items), _) => {
                let items: Vec<_> = items.iter().map(OptionValue::plain).collect();
                items.join(", ")
            }
            (value, Kind::Seconds(..)) => format!("{} s", value.plain()),
            (value, _) => value.plain(),
        }
    }

    /// What the documentation says of it.
    pub(super) fn documented(&self, defaults: &T) -> OptionDoc {
        let default = match (self.get)(defaults) {
            OptionValue::Nothing => self.otherwise.to_owned(),
            OptionValue::Map(_) => "`#{}`".to_owned(),
            value @ (OptionValue::Whole(_) | OptionValue::Decimal(_)) => value.plain(),
            value => format!("`{}`", value.describe()),
        };
        let mut text = self.doc.to_owned();
        let values = match &self.kind {
            Kind::Whole(range, _) if *range.end() == i64::MAX => {
                format!("at least {}", range.start())
            }
            Kind::Whole(range, _) => format!("{} to {}", range.start(), range.end()),
            Kind::Number(range, _) | Kind::Seconds(range, _) => {
                format!("{} to {}", range.start(), range.end())
            }
            Kind::Flag(_) => "`true`, `false`".to_owned(),
            Kind::Choice(names, _) => listed(names),
            Kind::Choices(names, ..) => format!("{}, or an array of names", listed(names)),
            Kind::Wholes(_) => "an array of different whole numbers, or one".to_owned(),
            Kind::Text(expected, ..) | Kind::Texts(expected, _) => (*expected).to_owned(),
            Kind::Path(..) => "a path".to_owned(),
            Kind::Closure(_) => "a closure".to_owned(),
            Kind::Map(_, docs) => {
                let docs: Vec<_> = docs().iter().map(OptionDoc::inner).collect();
                text += &format!(": {}", docs.join("; "));
                "a map".to_owned()
            }
        };
        OptionDoc {
            name: self.name,
            default,
            values,
            text,
        }
    }
}

/// Names as a script writes them.
fn listed(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
    names.join(", ")
}

/// A number from a range that begins above zero.
pub(super) fn non_zero(number: i64) -> NonZeroUsize {
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .expect("the range that the number was read with begins above zero")
}
