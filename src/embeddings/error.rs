//! What can be wrong with a file of embeddings.

use crate::{file, hint::Hint, text::printable_line};
use std::io;

/// A file of embeddings that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`: {message}", printable_line(.file))]
pub struct EmbeddingsError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<&'static str>,
}

/// The hint for a file of someone else.
const NOT_OURS: &str = "give a file that `embed` wrote, or a folder of parts";

impl EmbeddingsError {
    /// The file cannot be opened.
    pub(super) fn unopened(file: &str, error: &io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => Some("check the path, and whether `embed` has written it"),
            io::ErrorKind::PermissionDenied => Some("`chmod u+r` lets the owner of a file read it"),
            // A folder, a pipe or a device.
            io::ErrorKind::Other => Some(NOT_OURS),
            kind => file::remedy(kind),
        };
        Self {
            file: file.to_owned(),
            message: format!("cannot be opened: {error}"),
            hint,
        }
    }

    /// The file was Parquet once.
    pub(super) fn damaged(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
            hint: Some("run `embed` again with `overwrite: true`"),
        }
    }

    /// The files of an output are not all of one output.
    pub(super) fn mixed(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
            hint: Some(
                "run the script again that writes it: a process was killed while it replaced an output, or one file \
                 was replaced by hand; if nothing is left to do, add `overwrite: true`",
            ),
        }
    }

    /// The file has vectors of residues, and none of whole sequences.
    pub(super) fn of_residues(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            message: "holds vectors of residues, and none of whole sequences".to_owned(),
            hint: Some(
                "give `embed` a `pooling` beside `residues: true`: \"mean\" writes a vector for each sequence, too",
            ),
        }
    }

    /// The file has no contacts.
    pub(super) fn without_contacts(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            message: "holds no contacts".to_owned(),
            hint: Some("`contacts(…)` writes them, and so does `embed` with `contacts: true`"),
        }
    }

    /// The file may have contacts, in a format of which they are not read.
    pub(super) fn contacts_in(file: &str, format: &str) -> Self {
        Self {
            file: file.to_owned(),
            message: format!("is a file of {format}, of which contacts are not read"),
            hint: Some("have `contacts` write `.parquet` or `.arrow`, or a folder of parts"),
        }
    }

    /// The file is none that `embed` wrote.
    pub(super) fn foreign(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
            hint: Some(NOT_OURS),
        }
    }
}

impl Hint for EmbeddingsError {
    fn hint(&self) -> Option<String> {
        self.hint.map(str::to_owned)
    }
}
