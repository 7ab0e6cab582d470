//! How the page words numbers and texts.

use crate::report::table::{cut, rate};

/// A sentence that comes without its capital and dot, with both. A first word that is a name keeps
/// its case.
pub(super) fn sentence(text: &str, most_chars: usize) -> String {
    let mut text = cut(text, most_chars);
    let word = text
        .split([' ', ',', ':', ';', '?'])
        .next()
        .unwrap_or_default();
    if !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase()) {
        text[..1].make_ascii_uppercase();
    }
    if !text.ends_with(['.', '…', '!', '?']) {
        text.push('.');
    }
    text
}

/// A share as a whole percentage.
pub(super) fn percent_round(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// Seconds with as many digits as mean something.
pub(super) fn in_seconds(seconds: f64) -> String {
    if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} s", rate(seconds))
    }
}

/// A time with as many digits as mean something.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    if whole < 120 {
        in_seconds(seconds)
    } else if whole < 7_200 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3_600, whole / 60 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_a_capital_and_a_dot() {
        let check = |text: &str, expect: &str| assert_eq!(sentence(text, 40), expect);
        check("readers are slow", "Readers are slow.");
        check("esm2_t6 is small", "esm2_t6 is small.");
        check("`readers` is 1", "`readers` is 1.");
        check("why?", "Why?");
        check("", ".");
    }

    #[test]
    fn times_have_the_digits_that_mean_something() {
        let check = |seconds: f64, expect: &str| assert_eq!(duration(seconds), expect);
        check(0.0, "0.00 s");
        check(119.6, "120 s");
        check(95.24, "95.2 s");
        check(185.7, "3 min 05 s");
        check(7_380.0, "2 h 03 min");
    }
}
