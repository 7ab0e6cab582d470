//! Values as scripts write them.

use crate::{job::OptionValue, text::is_unprintable};
use std::fmt::Write;

/// The script's text for a value. Whatever is in it, it is one value and nothing else.
pub fn literal(value: &OptionValue) -> String {
    match value {
        OptionValue::Flag(flag) => flag.to_string(),
        OptionValue::Whole(number) => number.to_string(),
        OptionValue::Decimal(number) => {
            // Without an exponent, which needs a decimal point before it, too.
            let text = number.to_string();
            match text.contains('.') {
                true => text,
                false => text + ".0",
            }
        }
        OptionValue::Text(text) => text_literal(text),
        OptionValue::List(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        OptionValue::Map(map) => {
            let entry = |(name, value): (&String, _)| format!("{}: {}", key(name), literal(value));
            let entries: Vec<_> = map.iter().map(entry).collect();
            match entries.as_slice() {
                [] => "#{}".to_owned(),
                entries => format!("#{{ {} }}", entries.join(", ")),
            }
        }
        OptionValue::Nothing | OptionValue::Other(_) => "()".to_owned(),
    }
}

/// A string between quotation marks, in which scripts put nothing in place of `${..}`.
pub fn text_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal += "\\n",
            '\r' => literal += "\\r",
            '\t' => literal += "\\t",
            // Some of them end lines, and others turn the direction of writing.
            control if is_unprintable(control) => {
                write!(literal, "\\U{:08x}", u32::from(control)).expect("a string takes all");
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// The key of an entry of a map.
fn key(name: &str) -> String {
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    // Without a letter it is no name.
    let has_letter = name.contains(|c: char| c.is_ascii_lowercase());
    match has_letter && name.chars().all(is_word) {
        true => name.to_owned(),
        false => text_literal(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rhai::{Dynamic, Engine};

    fn evaluated(value: &OptionValue) -> Dynamic {
        let text = literal(value);
        let engine = Engine::new();
        let value = engine.eval(&text);
        value.unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn values_are_read_as_they_were_given() {
        let check = |value: OptionValue, expect: &str| {
            assert_eq!(format!("{:?}", evaluated(&value)), expect, "{value:?}");
        };
        check(true.into(), "true");
        check((-7_i64).into(), "-7");
        check(i64::MAX.into(), "9223372036854775807");
        check(0.5.into(), "0.5");
        check(3.0.into(), "3.0");
        check(1e-7.into(), "1e-7");
        check(OptionValue::Nothing, "()");
        check(
            OptionValue::List(vec![1_i64.into(), "a".into()]),
            "[1, \"a\"]",
        );
        let map = [
            ("fill".to_owned(), 0.5.into()),
            ("a b".to_owned(), 1_i64.into()),
        ];
        check(OptionValue::Map(map.into()), "#{\"a b\": 1, \"fill\": 0.5}");
        check(OptionValue::Map([].into()), "#{}");
    }

    /// Texts that mean something to scripts.
    const ODD: [&str; 8] = [
        "a\"; throw 1; \"",
        "\\",
        "`${1 + 1}`",
        "line\nline\r\n\t\0",
        "\u{2028}\u{202e}\u{85}\u{feff}",
        "'",
        "\\u0041 \\x41",
        "/* */ // \"",
    ];

    fn comes_back(text: &str) {
        let value = evaluated(&text.into());
        assert_eq!(value.into_string().as_deref(), Ok(text));
        let map = OptionValue::Map([(text.to_owned(), text.into())].into());
        let map = evaluated(&map).cast::<rhai::Map>();
        assert_eq!(map[text].clone().into_string().as_deref(), Ok(text));
        assert!(!text_literal(text).contains(char::is_control), "{text:?}");
    }

    #[test]
    fn odd_texts_come_back() {
        ODD.iter().for_each(|text| comes_back(text));
    }

    proptest! {
        #[test]
        fn texts_come_back(text in any::<String>()) {
            comes_back(&text);
        }
    }
}
