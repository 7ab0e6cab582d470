//! Texts that come from outside, made safe to show.

use std::borrow::Cow;

/// The words for one thing, or for so many.
pub fn in_number<'a>(number: u64, one: &'a str, more: &'a str) -> &'a str {
    if number == 1 { one } else { more }
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
