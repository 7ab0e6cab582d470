//! Errors in two parts: what is wrong, and how to mend it.

use std::fmt::Display;

/// An error that may know how to mend what is wrong. Its `Display` says only what is wrong, as a
/// fragment without a final dot.
pub trait Hint: Display {
    /// How to mend it, if there is something to say.
    fn hint(&self) -> Option<String>;

    /// Both in one line, for places that have no other for a hint.
    fn in_full(&self) -> String {
        joined(self, self.hint().as_deref())
    }
}

/// What is wrong and how to mend it, in one line.
pub fn joined(message: &(impl Display + ?Sized), hint: Option<&str>) -> String {
    match hint {
        Some(hint) => format!("{message} ({hint})"),
        None => message.to_string(),
    }
}

/// The hint of whatever cannot happen.
pub const REPORT_IT: &str = "this is a bug: please report it with the script";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_behind_the_message() {
        assert_eq!(
            joined("it is full", Some("empty it")),
            "it is full (empty it)"
        );
        assert_eq!(joined("it is full", None), "it is full");
    }
}
