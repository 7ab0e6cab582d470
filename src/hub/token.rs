//! The secret that says to the Hub who we are.

use std::{fmt, fs, path::Path};

/// Bytes of a file with a token at most.
const MOST_BYTES: u64 = 4096;

/// The secret that says to the Hub who we are. Nothing that is shown or logged has it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

/// Which characters no token has, and what is said of them.
type Flaw = (fn(char) -> bool, &'static str);

impl Token {
    /// The token in a text, as a variable or a file has it.
    ///
    /// # Errors
    /// What is wrong with it, in words that do not show it.
    pub(super) fn of(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let flaws: [Flaw; 5] = [
            (|c| c == '"' || c == '\'', "there are quotes in it"),
            (|c| c == '\n' || c == '\r', "it has several lines"),
            (char::is_whitespace, "it has a blank"),
            (|c| !c.is_ascii(), "it has a character that is not ASCII"),
            (|c| c.is_control(), "it has a control character"),
        ];
        match flaws.iter().find(|(is_flaw, _)| text.contains(is_flaw)) {
            Some((_, flaw)) => Err(flaw),
            None if text.is_empty() => Err("it is empty"),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The token in a file, if there is one. One that may not be read is somebody else's.
    ///
    /// # Errors
    /// As [`of`](Self::of), and if it is something else than a small file.
    pub(super) fn in_file(path: &Path) -> Result<Option<Self>, &'static str> {
        let Ok(found) = path.metadata() else {
            return Ok(None);
        };
        if found.is_dir() {
            return Err("it is a folder");
        }
        // People name the null device to have none.
        if !found.is_file() {
            return Ok(None);
        }
        if found.len() > MOST_BYTES {
            return Err("it is too large for one");
        }
        let bytes = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        match text.trim() {
            "" => Ok(None),
            text => Self::of(text).map(Some),
        }
    }

    /// The header that carries it.
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
        for (text, expect) in [
            ("", "empty"),
            (" \n", "empty"),
            ("two words", "a blank"),
            ("hf_one\nhf_two", "several lines"),
            ("\"hf_secret\"", "quotes"),
            ("hf_\u{e9}", "not ASCII"),
            ("hf_\0", "a control character"),
        ] {
            let flaw = Token::of(text).unwrap_err();
            assert!(flaw.contains(expect), "{text:?}: {flaw}");
        }
    }

    #[test]
    fn files_without_a_token_are_none_and_others_are_explained() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let of_file = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            Token::in_file(&path)
        };
        assert_eq!(of_file(b"hf_a\n"), Ok(Some(Token("hf_a".to_owned()))));
        assert_eq!(of_file(b"\n"), Ok(None));
        assert!(of_file(b"hf_\xff").is_err());
        assert!(of_file(&[b'a'; 5000]).is_err());
        assert_eq!(Token::in_file(folder.path()), Err("it is a folder"));
        for none in ["/dev/null", "/nowhere/token"] {
            assert_eq!(Token::in_file(Path::new(none)), Ok(None));
        }
    }
}
