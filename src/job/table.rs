//! The options of a call as a table: all that is read, shown and documented of them comes from its rows.

use super::{OptionMap, OptionValue, Problem, Problems, options::OptionReader};
use std::{
    num::NonZeroUsize,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

/// The options of a call, which scripts give in a map and the program keeps in a `T`.
#[derive(Debug)]
pub struct OptionTable<T: 'static> {
    pub(super) rows: &'static [OptionRow<T>],
    /// What holds where a script gives nothing.
    pub(super) defaults: fn() -> T,
}

/// An option.
#[derive(Debug)]
pub(super) struct OptionRow<T> {
    name: &'static str,
    /// What it does, for the documentation: without a capital and a final dot.
    doc: &'static str,
    /// What holds without it, in words, where its default is no value.
    otherwise: &'static str,
    effect: Effect,
    kind: Kind<T>,
    /// Its value as a script would write it; nothing for a closure, which the script language keeps.
    get: fn(&T) -> OptionValue,
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
    /// Different whole numbers.
    Wholes(fn(&mut T, Vec<i64>)),
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
    /// The last bits of values at most.
    LastBits,
    /// Values and rows.
    Values,
}

/// What the documentation says of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionDoc {
    /// Its name in scripts.
    pub name: &'static str,
    /// What it is where a script does not give it.
    pub default: String,
    /// What it may be. Empty where the default says it.
    pub values: String,
    /// What it does.
    pub text: String,
}

impl<T> OptionTable<T> {
    /// Every option's name in scripts.
    pub fn names(&self) -> Vec<&'static str> {
        self.rows.iter().map(|row| row.name).collect()
    }

    /// Reads the options that a script gave; the others keep their defaults.
    ///
    /// # Errors
    /// Every option that is unknown, of the wrong type or out of range.
    pub fn read(&self, map: OptionMap) -> Result<T, Problems> {
        let mut reader = OptionReader::new(map, &self.names());
        let mut options = (self.defaults)();
        for row in self.rows {
            row.read(&mut reader, &mut options);
        }
        reader.finish(options)
    }

    /// Every option but closures, with its value as a script would write it.
    pub fn values(&self, options: &T) -> impl Iterator<Item = (&'static str, OptionValue)> {
        let rows = self.rows.iter().filter(|row| !row.is_closure());
        rows.map(|row| (row.name, (row.get)(options)))
    }

    /// Every option but closures, with its value, as the map that a script would write.
    pub fn map(&self, options: &T) -> OptionMap {
        let values = self.values(options);
        values
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The value of the option `name` as a script would write it. `None` if there is no such option,
    /// or if it is a closure.
    pub fn value(&self, options: &T, name: &str) -> Option<OptionValue> {
        let mut values = self.values(options);
        values.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// Every option but closures and those with a table of their own, for people.
    pub fn settings(&self, options: &T) -> impl Iterator<Item = (&'static str, String)> {
        let is_shown = |row: &&OptionRow<T>| !matches!(row.kind, Kind::Map(..) | Kind::Closure(_));
        let rows = self.rows.iter().filter(is_shown);
        rows.map(|row| (row.name, row.setting(options)))
    }

    /// Those of which `effect` depends, as the metadata of an output has them. What is not set is left
    /// out.
    pub fn with_effect(
        &self,
        effect: Effect,
        options: &T,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let rows = self.rows.iter().filter(move |row| row.effect == effect);
        rows.filter_map(|row| {
            let value = (row.get)(options);
            (value != OptionValue::Nothing).then(|| (row.name, value.plain()))
        })
    }

    /// What the documentation says of each.
    pub fn docs(&self) -> Vec<OptionDoc> {
        let defaults = (self.defaults)();
        self.rows
            .iter()
            .map(|row| row.documented(&defaults))
            .collect()
    }
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

    pub(super) const fn wholes(
        name: &'static str,
        set: fn(&mut T, Vec<i64>),
        get: fn(&T) -> OptionValue,
    ) -> Self {
        Self::new(name, Kind::Wholes(set), get)
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

    fn is_closure(&self) -> bool {
        matches!(self.kind, Kind::Closure(_))
    }

    fn read(&self, reader: &mut OptionReader, options: &mut T) {
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
            Kind::Wholes(set) => {
                if let Some(numbers) = reader.whole_list(name) {
                    set(options, numbers);
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

    fn setting(&self, options: &T) -> String {
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

    fn documented(&self, defaults: &T) -> OptionDoc {
        let default = match (self.get)(defaults) {
            OptionValue::Nothing => self.otherwise.to_owned(),
            OptionValue::Map(_) => "`#{}`".to_owned(),
            value @ (OptionValue::Whole(_) | OptionValue::Decimal(_)) => value.plain(),
            value => format!("`{}`", value.describe()),
        };
        let (mut text, mut values) = (self.doc.to_owned(), String::new());
        match &self.kind {
            Kind::Whole(range, _) if *range.end() == i64::MAX => {
                values = format!("at least {}", range.start());
            }
            Kind::Whole(range, _) => values = format!("{} to {}", range.start(), range.end()),
            Kind::Number(range, _) | Kind::Seconds(range, _) => {
                values = format!("{} to {}", range.start(), range.end());
            }
            Kind::Flag(_) => {}
            Kind::Choice(names, _) => {
                let names: Vec<_> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
                values = names.join(", ");
            }
            Kind::Wholes(_) => values = "an array of different whole numbers".to_owned(),
            Kind::Path(..) => values = "a path".to_owned(),
            Kind::Closure(_) => values = "a closure".to_owned(),
            Kind::Map(_, docs) => {
                values = "a map".to_owned();
                let docs: Vec<_> = docs().iter().map(OptionDoc::inner).collect();
                text += &format!(": {}", docs.join("; "));
            }
        }
        OptionDoc {
            name: self.name,
            default,
            values,
            text,
        }
    }
}

impl OptionDoc {
    /// An option of a map that is an option.
    fn inner(&self) -> String {
        format!("`{}`, {} ({})", self.name, self.text, self.default)
    }
}

/// A number from a range that begins above zero.
pub(super) fn non_zero(number: i64) -> NonZeroUsize {
    usize::try_from(number)
        .ok()
        .and_then(NonZeroUsize::new)
        .expect("the range that the number was read with begins above zero")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{EmbedOptions, Layer, Mock, ModelSpec, SweepPlan, Thresholds};
    use std::collections::BTreeSet;

    /// Checks what holds for every table.
    fn check<T: PartialEq + std::fmt::Debug>(table: &OptionTable<T>) {
        let names = table.names();
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len(), "{names:?}");
        for doc in table.docs() {
            assert!(!doc.text.is_empty() && !doc.text.ends_with('.'), "{doc:?}");
        }
        // What is shown of the defaults is read as the defaults.
        let defaults = (table.defaults)();
        assert_eq!(table.read(table.map(&defaults)).unwrap(), defaults);
    }

    #[test]
    fn tables_agree_with_their_defaults() {
        check(&EmbedOptions::OPTIONS);
        check(&ModelSpec::OPTIONS);
        check(&Mock::OPTIONS);
        check(&SweepPlan::OPTIONS);
        check(&Thresholds::OPTIONS);
    }

    #[test]
    fn an_option_is_documented() {
        let check = |docs: Vec<OptionDoc>, name: &str, default: &str, values: &str| {
            let doc = docs.iter().find(|doc| doc.name == name).unwrap();
            assert_eq!((&*doc.default, &*doc.values), (default, values));
        };
        let embed = EmbedOptions::OPTIONS.docs();
        check(embed.clone(), "readers", "2", "1 to 256");
        check(embed.clone(), "overwrite", "`false`", "");
        check(embed.clone(), "output", "none", "a path");
        let layers = "an array of different whole numbers";
        check(embed, "layers", "`[-1]`", layers);
        let model = ModelSpec::OPTIONS.docs();
        let gelu = "`\"auto\"`, `\"exact\"`";
        check(model.clone(), "gelu", "`\"auto\"`", gelu);
        let mock = model.iter().find(|doc| doc.name == "mock").unwrap();
        assert!(mock.text.contains("; `jitter`, "), "{mock:?}");
    }

    #[test]
    fn outputs_know_what_they_depend_on() {
        let options = EmbedOptions {
            layers: vec![Layer(0), Layer(33)],
            ..EmbedOptions::default()
        };
        let check = |effect: Effect, expect: &[(&str, &str)]| {
            let found: Vec<_> = EmbedOptions::OPTIONS
                .with_effect(effect, &options)
                .collect();
            let found: Vec<_> = found
                .iter()
                .map(|(name, value)| (*name, &**value))
                .collect();
            assert_eq!(found, expect, "{effect:?}");
        };
        check(Effect::Values, &[("pooling", "mean"), ("layers", "0,33")]);
        check(Effect::LastBits, &[("packing", "true")]);
    }

    #[test]
    fn settings_are_for_people() {
        let options = EmbedOptions::default();
        let settings: Vec<_> = EmbedOptions::OPTIONS.settings(&options).collect();
        let check = |name: &str, expect: &str| {
            let found = settings.iter().find(|(other, _)| *other == name);
            assert_eq!(found.map(|(_, text)| &**text), Some(expect), "{name}");
        };
        check("readers", "2");
        check("output", "none");
        check("overwrite", "false");
        check("layers", "-1");
        check("reader_timeout", "60 s");
        check("monitor_hz", "2");
        assert!(settings.iter().all(|(name, _)| *name != "on_sample"));
    }
}
