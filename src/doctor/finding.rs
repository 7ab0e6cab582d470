//! What a check found.

use crate::{hint::Hint, text::printable_line};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// How good it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Neither good nor bad.
    Note,
    /// Something is slow or odd, and works.
    Warning,
    /// Something does not work.
    Failure,
}

impl State {
    /// A sign for people.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Note => "·",
            Self::Warning => "!",
            Self::Failure => "✗",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The part of the report that it belongs to.
    pub section: &'static str,
    /// What was looked at.
    #[serde(serialize_with = "on_a_line")]
    pub name: String,
    /// How good it is.
    pub state: State,
    /// What was found, for people.
    #[serde(serialize_with = "on_a_line")]
    pub text: String,
    /// How to mend it, if there is something to mend.
    #[serde(serialize_with = "maybe_on_a_line")]
    pub remedy: Option<String>,
    /// What was found, for programs.
    pub facts: Map<String, Value>,
}

impl Finding {
    /// Whether somebody may have to do something about it.
    pub fn needs_care(&self) -> bool {
        matches!(self.state, State::Warning | State::Failure)
    }

    /// A finding whose section its check knows.
    pub(super) fn new(state: State, name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            section: "",
            name: name.into(),
            state,
            text: text.into(),
            remedy: None,
            facts: Map::new(),
        }
    }

    pub(super) fn good(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::Good, name, text)
    }

    pub(super) fn note(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(State::Note, name, text)
    }

    pub(super) fn warning(name: impl Into<String>, text: impl Into<String>, remedy: &str) -> Self {
        Self::new(State::Warning, name, text).mended_by(remedy)
    }

    pub(super) fn failure(name: impl Into<String>, text: impl Into<String>, remedy: &str) -> Self {
        Self::new(State::Failure, name, text).mended_by(remedy)
    }

    /// An error as a finding.
    pub(super) fn of_error(state: State, name: impl Into<String>, error: &impl Hint) -> Self {
        Self {
            remedy: error.hint(),
            ..Self::new(state, name, error.to_string())
        }
    }

    /// The same, with how to mend it.
    pub(super) fn mended_by(self, remedy: &str) -> Self {
        Self {
            remedy: Some(remedy.to_owned()),
            ..self
        }
    }

    /// The same, with a fact for programs.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(key.to_owned(), value.into());
        self
    }
}

/// What drivers and files say may hold anything.
fn on_a_line<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable_line(text))
}

#[expect(clippy::ref_option, reason = "serde gives the field")]
fn maybe_on_a_line<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => on_a_line(text, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_no_control_characters_either() {
        let odd = "a\u{1b}[2J\u{202e}b";
        let finding = Finding::warning(odd, odd, odd);
        let object = serde_json::to_value(finding).expect("it is plain data");
        for key in ["name", "text", "remedy"] {
            assert_eq!(object[key], r"a\u{1b}[2J\u{202e}b", "{key}");
        }
        let object = serde_json::to_value(Finding::good("a", "b")).expect("it is plain data");
        assert!(object["remedy"].is_null());
    }
}
