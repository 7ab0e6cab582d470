//! What can go wrong with scores.

use crate::{
    cancel::{CancelToken, StopReason},
    embeddings::EmbeddingsError,
    fasta::InputError,
    file::{self, FileError},
    hint::{Hint, REPORT_IT},
    text::printable_line,
};
use std::{io, path::PathBuf};

/// What can go wrong with scores.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// A table of mutants, or one of its rows.
    #[error("`{}`{} {message}", printable_line(.file), line.map(|line| format!(", line {line}:")).unwrap_or_default())]
    Table {
        /// The file, as the script names it.
        file: String,
        /// The line in the file, from 1, if it is about one.
        line: Option<u64>,
        /// What is wrong.
        message: String,
        /// How to mend it.
        hint: Option<String>,
    },
    /// A FASTA file.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The logits that are read back.
    #[error(transparent)]
    Logits(#[from] EmbeddingsError),
    /// A file that is written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The output is there, and is not what is asked for.
    #[error("`{}` {message}", .output.display())]
    Exists {
        /// The output.
        output: PathBuf,
        /// What it is.
        message: String,
    },
    /// The model's scores would be in a column that is another one.
    #[error("the model is named `{0}`, and its scores would be a second column of that name")]
    Column(String),
    /// A shard would replace a table.
    #[error("`{}` exists, and a shard of it replaces nothing", .0.display())]
    Replaces(PathBuf),
    /// The user or a scheduler stopped it.
    #[error("stopped by {}", .0.name())]
    Stopped(StopReason),
    /// What was read to write the plan is not what is read to write the scores.
    #[error("`{0}` has changed since the run began")]
    Changed(String),
    /// Logits are missing, or are those of other sequences. It is always a bug of this program.
    #[error("{0}; nothing was published")]
    Conservation(String),
}

impl ScoreError {
    /// Checks that nobody has told to stop.
    pub(super) fn unless_stopped(cancel: &CancelToken) -> Result<(), Self> {
        cancel
            .reason()
            .map_or(Ok(()), |reason| Err(Self::Stopped(reason)))
    }

    /// Something is wrong with a table as a whole.
    pub(super) fn table(file: &str, message: impl Into<String>, hint: &str) -> Self {
        Self::Table {
            file: file.to_owned(),
            line: None,
            message: message.into(),
            hint: Some(hint.to_owned()),
        }
    }

    /// A table cannot be read.
    pub(super) fn unread(file: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => Some("check the path"),
            kind => file::remedy(kind),
        };
        Self::Table {
            file: file.to_owned(),
            line: None,
            message: format!("cannot be read: {error}"),
            hint: hint.map(str::to_owned),
        }
    }
}

impl Hint for ScoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Table { hint, .. } => hint.clone(),
            Self::Input(error) => error.hint(),
            Self::Logits(error) => error.hint(),
            Self::File(error) => error.hint(),
            Self::Exists { .. } => Some("choose another path, or add `overwrite: true`".to_owned()),
            Self::Column(_) => Some("give the model's folder another name".to_owned()),
            Self::Replaces(_) => Some(
                "choose another path, leave `overwrite: true` out, or make it as a whole, without a shard".to_owned(),
            ),
            Self::Stopped(_) => None,
            Self::Changed(_) => {
                Some("run the same command again when nobody writes to it".to_owned())
            }
            Self::Conservation(_) => Some(REPORT_IT.to_owned()),
        }
    }
}
