//! What can be wrong with an input.

use crate::{
    hint::Hint,
    text::{shortened, without_middle},
};
use serde::{Deserialize, Serialize};

/// Characters of an id that a message shows: some are as long as a megabyte.
pub(super) const MOST_ID_CHARACTERS: usize = 100;
/// Characters of a file's name that a message shows: what is wrong with it stands on the same page.
const MOST_NAME_CHARACTERS: usize = 1000;

/// An input that cannot be read, or a record that a policy refuses: what, where, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("`{}`{}: {message}",
    shortened(.file, MOST_NAME_CHARACTERS),
    .record.as_ref().map(|r| format!(", {r}")).unwrap_or_default())]
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

/// What ended the reading of a work unit.
///
/// It travels from the reader subprocess, which does not know how many records come before its
/// unit, to the parent, which makes an [`InputError`] of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in the unit.
    pub place: FaultPlace,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// A place in a work unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultPlace {
    /// The file as a whole.
    File,
    /// One record.
    Record {
        /// Its index in the unit, from 0.
        index: u64,
        /// Its id.
        id: String,
    },
    /// Behind the last good record.
    After {
        /// Good records in the unit.
        n_records: u64,
        /// The id of the last one.
        id: Option<String>,
    },
}

impl Hint for InputError {
    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl InputError {
    /// An error that concerns a file as a whole.
    pub fn new(
        file: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            file: without_middle(&file.into(), MOST_NAME_CHARACTERS).into_owned(),
            record: None,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn of_file(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            place: FaultPlace::File,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// The error for people, given the file's name, how many of its records come before the unit, the
    /// id of the last of them, and what is said behind the number of a record that is not counted from the
    /// beginning of the file.
    pub fn locate(
        self,
        file: &str,
        n_records_before: u64,
        last_id: Option<&str>,
        behind: &str,
    ) -> InputError {
        let record = match self.place {
            FaultPlace::File => None,
            FaultPlace::Record { index, id } => {
                let ordinal = n_records_before + index + 1;
                Some(format!(
                    "record {ordinal}{behind} (`{}`)",
                    shortened(&id, MOST_ID_CHARACTERS)
                ))
            }
            FaultPlace::After { n_records, id } => Some(
                match (n_records_before + n_records, id.as_deref().or(last_id)) {
                    (0, _) => format!("before the end of the first record{behind}"),
                    (n, Some(id)) => {
                        format!(
                            "after record {n}{behind} (`{}`)",
                            shortened(id, MOST_ID_CHARACTERS)
                        )
                    }
                    (n, None) => format!("after record {n}{behind}"),
                },
            ),
        };
        InputError {
            file: file.to_owned(),
            record,
            message: self.message,
            hint: self.hint,
        }
    }
}
