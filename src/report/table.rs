//! How tables and pages word numbers and cut texts.

use crate::text::in_number;

pub(super) use crate::text::grouped;

/// "1 batch", "1,234 batches".
pub(super) fn counted(number: u64, singular: &str, plural: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        in_number(number, singular, plural)
    )
}

/// A rate with as many digits as mean something.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        grouped(per_second.round() as u64)
    }
}

/// The beginning of a text, marked if it is not all of it.
pub(super) fn cut(text: &str, most_chars: usize) -> String {
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("αβγ", 3), "αβγ");
        assert_eq!(cut("αβγδ", 3), "αβγ…");
    }
}
