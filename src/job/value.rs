//! Option values as a script gives them, free of the script language.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, slice};

/// The options of one call, by name.
pub type OptionMap = BTreeMap<String, OptionValue>;

/// A value that a script gave for an option.
#[derive(Clone, Debug, PartialEq)]
pub enum OptionValue {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number with a decimal point.
    Decimal(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<OptionValue>),
    /// A map.
    Map(OptionMap),
    /// The script language's "nothing"; the option keeps its default.
    Nothing,
    /// A value of another type, by the type's name.
    Other(String),
}

impl OptionValue {
    /// The value for people, with its type where the value alone does not say it.
    pub fn describe(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Decimal(number) => format!("{number:?}"),
            Self::Text(text) => format!("\"{text}\""),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::describe).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(map) => {
                let entries: Vec<_> = map
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.describe()))
                    .collect();
                format!("#{{ {} }}", entries.join(", "))
            }
            Self::Nothing => "nothing".to_owned(),
            Self::Other(type_name) => format!("a value of type {type_name}"),
        }
    }

    /// The items of an array; of another value, the value.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            one => slice::from_ref(one),
        }
    }

    /// The value alone: what a setting is, where it is known what kind of value that is.
    pub fn plain(&self) -> String {
        match self {
            Self::Decimal(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::plain).collect();
                items.join(",")
            }
            other => other.describe(),
        }
    }
}

impl From<bool> for OptionValue {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for OptionValue {
    fn from(number: i64) -> Self {
        Self::Whole(number)
    }
}

impl From<u64> for OptionValue {
    fn from(number: u64) -> Self {
        // A script has no larger ones.
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<usize> for OptionValue {
    fn from(number: usize) -> Self {
        (number as u64).into()
    }
}

impl From<NonZeroUsize> for OptionValue {
    fn from(number: NonZeroUsize) -> Self {
        number.get().into()
    }
}

impl From<f64> for OptionValue {
    fn from(number: f64) -> Self {
        Self::Decimal(number)
    }
}

impl From<&str> for OptionValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&Path> for OptionValue {
    fn from(path: &Path) -> Self {
        Self::Text(path.to_string_lossy().into_owned())
    }
}

impl<T: Into<OptionValue>> From<Option<T>> for OptionValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}
