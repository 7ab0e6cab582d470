//! The secret that says to the Hub who we are.

use std::fmt;

/// The secret that says to the Hub who we are. Nothing that is shown or logged has it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    /// The token in a text, as a variable or a file has it. What no header can carry is none.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_sendable.then(|| Self(text.to_owned()))
    }

    /// The header that carries it.
    #[cfg(feature = "download")]
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sent_and_never_shown() {
        let token = Token::of(" hf_secret\n").unwrap();
        assert_eq!(token.header(), "Bearer hf_secret");
        assert!(!format!("{token:?}").contains("secret"));
        for text in ["", " \n", "two words", "hf_\u{e9}"] {
            assert_eq!(Token::of(text), None, "{text:?}");
        }
    }
}
