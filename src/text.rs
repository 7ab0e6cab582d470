//! Texts that come from outside, made safe to show.

use std::borrow::Cow;

/// `text` as a terminal may get it. Line feeds and tabs stay; every other control character, and
/// those that turn the direction of writing, are written as `\u{1b}`, so that a name can neither
/// colour nor clear a screen, nor pass for another.
///
/// # Examples
/// ```
/// assert_eq!(runner::text::printable("a\u{1b}[31mred.fa"), r"a\u{1b}[31mred.fa");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unprintable(character) {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
    }
    Cow::Owned(printable)
}

fn is_unprintable(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
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
}
