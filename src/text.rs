//! Texts for people: numbers with their nouns and units, and what comes from outside, made safe to show.

use std::{borrow::Cow, time::Duration};

/// The words for one thing, or for so many.
pub fn in_number<'a>(number: u64, one: &'a str, more: &'a str) -> &'a str {
    if number == 1 { one } else { more }
}

/// A number and what it counts: "1 file", "2 files".
pub fn counted(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", in_number(number, one, more))
}

/// A whole number with its thousands set apart: 1,234,567.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that suits them.
///
/// # Examples
/// ```
/// assert_eq!(runner::text::bytes(1536), "1.5 KiB");
/// ```
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1 << 40, "TiB"),
        (1 << 30, "GiB"),
        (1 << 20, "MiB"),
        (1 << 10, "KiB"),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => counted(bytes, "byte", "bytes"),
    }
}

/// A time in days, hours, minutes and whole seconds.
///
/// # Examples
/// ```
/// assert_eq!(runner::text::duration(3725.4), "1h 2m 5s");
/// ```
pub fn duration(seconds: f64) -> String {
    const DAY: u64 = 86_400;
    let seconds = Duration::try_from_secs_f64(seconds.round()).unwrap_or_default();
    let days = seconds.as_secs() / DAY;
    let rest = Duration::from_secs(seconds.as_secs() % DAY);
    match (days, rest.is_zero()) {
        (0, _) => humantime::format_duration(rest).to_string(),
        (_, true) => format!("{days}d"),
        (_, false) => format!("{days}d {}", humantime::format_duration(rest)),
    }
}

/// `text` as a terminal may get it. Line feeds and tabs stay; every other control character, and
/// those that turn the direction of writing, are written as `\u{1b}`, so that a name can neither
/// colour nor clear a screen, nor pass for another.
///
/// # Examples
/// ```
/// assert_eq!(runner::text::printable("a\u{1b}[31mred.fa"), r"a\u{1b}[31mred.fa");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |character| {
        !matches!(character, '\n' | '\t') && is_unprintable(character)
    })
}

/// As [`printable`], for a text within a line: line feeds and tabs are spelt out, too.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// The first characters of a text, as [`printable_line`] shows them: some ids are as long as a megabyte.
pub fn shortened(text: &str, most_characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most_characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", printable_line(&text[..end]))),
        None => printable_line(text),
    }
}

/// A text of at most so many characters, without its middle if it is longer: what is wrong with a name
/// of any length stands behind it.
pub fn without_middle(text: &str, most_characters: usize) -> Cow<'_, str> {
    if text.chars().nth(most_characters).is_none() {
        return Cow::Borrowed(text);
    }
    let half = most_characters / 2;
    let byte = |place: Option<(usize, char)>| place.map_or(0, |(byte, _)| byte);
    let head = byte(text.char_indices().nth(half));
    let tail = byte(text.char_indices().nth_back(half.saturating_sub(1)));
    Cow::Owned(format!("{} … {}", &text[..head], &text[tail..]))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_escaped(character) {
            escaped.extend(character.escape_unicode());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Whether a terminal may do something else than show it.
pub fn is_unprintable(character: char) -> bool {
    match character {
        // Embeddings, overrides and isolates of the direction of writing.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // C0, DEL and C1.
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let check = |number: u64, expect: &str| assert_eq!(grouped(number), expect);
        check(0, "0");
        check(999, "999");
        check(1000, "1,000");
        check(u64::MAX, "18,446,744,073,709,551,615");
    }

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(bytes(5 << 39), "2.5 TiB");
        assert_eq!(duration(3725.4), "1h 2m 5s");
        assert_eq!(duration(86_400.0), "1d");
        assert_eq!(duration(400.0 * 86_400.0 + 3600.0), "400d 1h");
        assert_eq!(duration(f64::NAN), "0s");
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelt_out() {
        let check = |text: &str, expect: &str| assert_eq!(printable(text), expect);
        check("sp|P1|\u{3b1} two\n\tlines", "sp|P1|\u{3b1} two\n\tlines");
        check("\u{1b}[2J\r\u{7}", r"\u{1b}[2J\u{d}\u{7}");
        check("\u{7f}\u{9b}31m", r"\u{7f}\u{9b}31m");
        check("\u{202e}af.a\u{2066}", r"\u{202e}af.a\u{2066}");
    }

    #[test]
    fn texts_within_a_line_leave_it_whole() {
        assert_eq!(printable_line("a\nb\tc"), r"a\u{a}b\u{9}c");
        assert_eq!(shortened("a\nbc", 3), r"a\u{a}b…");
        assert_eq!(shortened("abc", 3), "abc");
    }

    #[test]
    fn long_texts_keep_both_ends() {
        let check = |text: &str, expect: &str| assert_eq!(without_middle(text, 4), expect);
        check("αβγδ", "αβγδ");
        check("αβγδε", "αβ … δε");
        check("", "");
    }
}
