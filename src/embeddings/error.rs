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

    /// The file is compressed in a way that is not read.
    pub(super) fn compressed(file: &str, how: &str) -> Self {
        Self {
            file: file.to_owned(),
            message: format!("is compressed with {how}, which is not read"),
            hint: Some("have the program that wrote it compress it with zstd, or not at all"),
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
            hint: Some(
                "have `contacts` write `.parquet` or `.arrow`, or a folder of parts; or export the file as one of these",
            ),
        }
    }

    /// The file has none of the columns of vectors of whole sequences, but these.
    pub(super) fn without_vectors<'a>(
        file: &str,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Self {
        let has = |what: &str| {
            let is_such = |name: &str| name.strip_prefix(what).is_some_and(is_of_layer);
            names.clone().any(is_such)
        };
        let message = if has("residues") {
            return Self::of_residues(file);
        } else if has("contacts") || has("probability") {
            "holds contacts, and no vectors of whole sequences"
        } else if has("logits") {
            "holds logits, and no vectors of whole sequences"
        } else {
            return Self::foreign(file, "has no column `embedding`".to_owned());
        };
        Self {
            file: file.to_owned(),
            message: message.to_owned(),
            hint: Some(
                "give `embed` a `pooling` beside what else it is asked: \"mean\" writes a vector for each sequence, too",
            ),
        }
    }

    /// It is not clear which of the columns of vectors of a file is to be read.
    /// `is_clear` says whether it would be if none were named.
    pub(super) fn undecided(
        file: &str,
        wanted: Option<&str>,
        names: &[&str],
        is_clear: bool,
    ) -> Self {
        let shown: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let shown = shown.join(", ");
        let (message, hint) = match wanted {
            Some(wanted) => (
                format!("has no column `{wanted}` of one vector a sequence, but {shown}"),
                match is_clear {
                    true => "name one of these, or leave `column` out",
                    false => "name one of these",
                },
            ),
            None => (
                format!("has several vectors of each sequence: {shown}"),
                "name the column to read, such as `embeddings(path, #{ column: \"embedding_mean\" })`",
            ),
        };
        Self {
            file: file.to_owned(),
            message,
            hint: Some(hint),
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

/// Whether a name that begins like a column's ends like one, too: with nothing, or a layer.
fn is_of_layer(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('_')
}

impl Hint for EmbeddingsError {
    fn hint(&self) -> Option<String> {
        self.hint.map(str::to_owned)
    }
}
