//! What can be wrong with an input.

use serde::{Deserialize, Serialize};

/// An input that cannot be read, or a record that a policy refuses: what, where, and the remedy.
///
/// It travels from the reader subprocess to the parent, so it is plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{file}`{}: {message}{}",
    .record.as_ref().map(|r| format!(", {r}")).unwrap_or_default(),
    .hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct InputError {
    /// The file, `-` for standard input.
    pub file: String,
    /// Which record, for people: "record 12 (`sp|P12345`)".
    pub record: Option<String>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}
