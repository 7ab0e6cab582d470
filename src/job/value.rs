//! Option values as a script gives them, free of the script language.

use std::collections::BTreeMap;

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
}
