//! Finds in a script's text what an error is about.

use rhai::Position;
use std::{iter, ops::Range};

/// The bytes of what stands at `position`: a word, a string, or a single character.
pub(super) fn at(text: &str, position: Position) -> Option<Range<usize>> {
    let start = offset(text, position)?;
    let rest = text[start..].lines().next().unwrap_or_default();
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let length = match rest.strip_prefix('"').map(|inside| inside.find('"')) {
        Some(Some(end_quote)) => end_quote + 2,
        _ if word > 0 => word,
        _ => rest.chars().next().map_or(0, char::len_utf8),
    };
    Some(start..start + length)
}

/// The bytes of the option `name` in the map literal of the call at `position`.
///
/// Rhai keeps no positions of map keys. The search is by text and may find nothing, for instance
/// when the map was made elsewhere; then the call itself is what can be pointed at.
pub(super) fn option(text: &str, position: Position, name: &str) -> Option<Range<usize>> {
    let call = arguments(text, offset(text, position)?)?;
    let mut from = call.start;
    while let Some(found) = text[from..call.end].find(name) {
        let start = from + found;
        let end = start + name.len();
        let before = text[..start].chars().next_back();
        let after = text[end..].trim_start_matches('"').trim_start();
        if !before.is_some_and(is_word) && after.starts_with(':') {
            return Some(start..end);
        }
        from = end;
    }
    None
}

/// The words of a text, without its comments, strings and numbers.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(code)
        .flat_map(|part| part.split(|c| !is_word(c)))
        .filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// The parts of a line that are neither in quotes nor in a comment behind them.
fn code(line: &str) -> impl Iterator<Item = &str> {
    let mut parts = line.split('"').step_by(2);
    let mut is_over = false;
    iter::from_fn(move || {
        let part = if is_over { None } else { parts.next() }?;
        let code = part.split("//").next().unwrap_or_default();
        is_over = code.len() < part.len();
        Some(code)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The byte that stands at a line and a column, both counted from 1, the column in characters.
pub(super) fn offset(text: &str, position: Position) -> Option<usize> {
    let line_index = position.line()? - 1;
    let column_index = position.position().unwrap_or(1) - 1;
    let line = text.split('\n').nth(line_index)?;
    let line_start: usize = text.split('\n').take(line_index).map(|l| l.len() + 1).sum();
    let in_line = line
        .char_indices()
        .nth(column_index)
        .map_or(line.len(), |(byte, _)| byte);
    Some(line_start + in_line)
}

/// What stands between the parentheses of the call that begins at `start`.
fn arguments(text: &str, start: usize) -> Option<Range<usize>> {
    let open = start + text[start..].find('(')?;
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut previous = ' ';
    for (index, c) in text[open..].char_indices() {
        match c {
            '"' if previous != '\\' => in_string = !in_string,
            '(' if !in_string => depth += 1,
            ')' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + 1..open + index);
                }
            }
            _ => {}
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "let größe = 1;\nlet run = embed(model, data.take(5), #{\n    readers: 4,\n    \"pooling\" : \"(\",\n});\nembed(a, b, #{ prefetch: 1 });";

    #[test]
    fn words_at_positions() {
        let check = |line: u16, column: u16, expect: &str| {
            let range = at(TEXT, Position::new(line, column)).expect("a place in the text");
            assert_eq!(&TEXT[range], expect);
        };
        check(1, 5, "größe");
        check(1, 11, "=");
        check(2, 11, "embed");
        check(3, 5, "readers");
        check(4, 5, "\"pooling\"");
        assert_eq!(at(TEXT, Position::NONE), None);
        assert_eq!(at(TEXT, Position::new(99, 1)), None);
    }

    #[test]
    fn options_of_a_call() {
        let check = |name: &str, expect: Option<&str>| {
            let range = option(TEXT, Position::new(2, 11), name);
            assert_eq!(range.map(|range| &TEXT[range]), expect, "{name}");
        };
        check("readers", Some("readers"));
        check("pooling", Some("pooling"));
        // It belongs to another call.
        check("prefetch", None);
        // It is an argument, not an option.
        check("model", None);
    }

    #[test]
    fn words_of_a_text() {
        let text = "let a1 = 5x; // b \"c\" d\nfn _e(f) { \"http://g/h\" + i } // \"j\"";
        let words: Vec<_> = words(text).collect();
        assert_eq!(words, ["let", "a1", "fn", "_e", "f", "i"]);
    }
}
