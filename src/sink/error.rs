//! What can go wrong with an output.

use super::{difference::Difference, ledger::LedgerError, shards_error::ShardsError};
use crate::{
    file::FileError,
    hint::{Hint, REPORT_IT},
    job::{OutputFormat, Problems},
    text::counted,
};
use ::parquet::errors::ParquetError;
use std::{
    io,
    path::{Path, PathBuf},
};

/// What can go wrong with an output file.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger of an output.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The shards of an output.
    #[error(transparent)]
    Shards(#[from] ShardsError),
    /// A name that no output can have.
    #[error(transparent)]
    Name(#[from] Problems),
    /// What is there is another output.
    #[error(
        "`{}` is another output:{}",
        output.display(),
        differences.iter().map(|difference| format!("\n  {difference}")).collect::<String>()
    )]
    Different {
        /// The output.
        output: PathBuf,
        /// What is not the same.
        differences: Vec<Difference>,
    },
    /// The input is not the one that it was when the output was begun.
    #[error("{0}")]
    InputChanged(String),
    /// A file is in the way that belongs to no output that could be gone on with.
    #[error("`{}` is in the way: it belongs to no output that could be gone on with", .0.display())]
    InTheWay(PathBuf),
    /// There are parts, or something that is no ledger, and nobody knows what they are.
    #[error(
        "`{}` is empty or damaged, so nobody knows which embeddings lie beside it",
        .0.display()
    )]
    NoLedger(PathBuf),
    /// The output would lie in the folder of another one.
    #[error(
        "`{}` would lie in `{}`, which is an output of its own and holds nothing else",
        output.display(),
        folder.display()
    )]
    Inside {
        /// The output.
        output: PathBuf,
        /// The other one.
        folder: PathBuf,
    },
    /// Parts went away while the output was made.
    #[error("{n_parts} parts of `{}` were removed or damaged while it was made", output.display())]
    PartsLost {
        /// The output.
        output: PathBuf,
        /// How many.
        n_parts: usize,
    },
    /// There is no output of this program.
    #[error("`{}` {what}", path.display())]
    NoOutput {
        /// Where it was looked for.
        path: PathBuf,
        /// What there is instead: the end of a sentence.
        what: &'static str,
    },
    /// The ledger went away while the output was made.
    #[error("`{}` was removed while the output was made", .0.display())]
    LedgerGone(PathBuf),
    /// Another process took this one for dead, and the output over.
    #[error("another process has taken `{}` over, as this one seemed to be dead", .0.display())]
    TakenOver(PathBuf),
    /// A part could not be committed, for a reason that was told before.
    #[error("the parts of the output could not be committed")]
    Uncommitted,
    /// Parts do not follow each other. It is always a bug of this program.
    #[error("no part begins with record {record}, and none is missing by the ledger")]
    Gap {
        /// The record, from 0.
        record: u64,
    },
    /// The Parquet writer refuses.
    #[error("cannot write `{}` as Parquet: {error}", path.display())]
    Parquet {
        /// The output file.
        path: PathBuf,
        /// What the Parquet writer says.
        error: ParquetError,
    },
    /// A file that has no name yet cannot be written. [`SinkError::named`] gives it one.
    #[error("cannot write the output: {0}")]
    Writing(#[source] io::Error),
    /// An export was told to end.
    #[error("the export to `{}` was stopped", .0.display())]
    Stopped(PathBuf),
    /// An output of which only a part is there cannot be exported.
    #[error("`{}` is not finished", .0.display())]
    Unfinished(PathBuf),
    /// Something cannot be in the format that was asked for.
    #[error("{message}")]
    Unfit {
        /// What is wrong.
        message: String,
        /// How to mend it.
        hint: String,
    },
    /// A file does not hold what was written into it.
    #[error("`{}` {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
        /// How to mend it.
        hint: &'static str,
    },
    /// A file is to be made of no parts. It is always a bug of this program.
    #[error("there is no part to make the output of")]
    NoParts,
    /// Records went missing or came twice. It is always a bug of this program.
    #[error(
        "{} read, but {n_embedded} embedded and {n_rejected} rejected",
        counted(*n_records, "record was", "records were")
    )]
    Conservation {
        /// Records read.
        n_records: u64,
        /// Rows written.
        n_embedded: u64,
        /// Records that a policy rejected.
        n_rejected: u64,
    },
}

/// Rows that cannot be put into input order. It is always a bug of this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A row that came before.
    #[error("sequence {index} (`{id}`) was embedded twice")]
    Duplicate {
        /// Index of the row.
        index: u64,
        /// Id of its record.
        id: String,
    },
    /// Rows that never came, or more than were sent.
    #[error(
        "{n_expected} sequences were sent to the model, but {n_released} came back in order and \
         {n_held} wait for a sequence that never came"
    )]
    Incomplete {
        /// Rows that should have come.
        n_expected: u64,
        /// Rows that came in an unbroken order from the first one.
        n_released: u64,
        /// Rows that came after a gap.
        n_held: usize,
    },
}

impl SinkError {
    /// The file system refuses to do something with `path`.
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> Self {
        FileError::io(action, path, error).into()
    }

    /// The file system refuses a file whose name the writer does not know.
    pub(super) fn writing(error: io::Error) -> Self {
        Self::Writing(error)
    }

    /// The error with the name of the file that is written.
    pub(super) fn named(self, path: &Path) -> Self {
        match self {
            Self::Writing(error) => Self::io("write", path, error),
            other => other,
        }
    }

    /// A part is not what was written.
    pub(super) fn damaged_part(path: &Path, message: String) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            message,
            hint: "run the script again: what is damaged is computed again",
        }
    }

    /// As an error about a finished output, of which nothing is computed again unasked: a file, or a part in a folder.
    pub(super) fn of_finished(self, is_file: bool) -> Self {
        match self {
            Self::Damaged { path, message, .. } => Self::Damaged {
                path,
                message,
                hint: match is_file {
                    true => "set `overwrite: true` in the script that made it, and run it again",
                    false => {
                        "remove it, and run the script again: what is missing is computed again"
                    }
                },
            },
            other => other,
        }
    }

    /// A part of those in `folder` cannot be copied: the file system refuses, or it is damaged.
    pub(super) fn stitching(folder: &Path, part: &Path, error: ParquetError) -> Self {
        match Self::parquet(folder, error) {
            Self::File(FileError::Io { error, .. }) => {
                Self::io("stitch the parts in", folder, error)
            }
            Self::Parquet { error, .. } => {
                Self::damaged_part(part, format!("cannot be copied: {error}"))
            }
            other => other,
        }
    }

    /// Rows cannot come ahead of their parts, as parts are copied as they are.
    pub(super) fn not_taken(format: OutputFormat) -> Self {
        Self::Unfit {
            message: format!("rows of {} are not copied one by one", format.title()),
            hint: REPORT_IT.to_owned(),
        }
    }

    /// Whether the file system has no room for what was to be written.
    pub(super) fn is_for_want_of_room(&self) -> bool {
        matches!(self, Self::File(FileError::Io { error, .. }) if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        ))
    }

    /// The Parquet writer fails, very likely because the file system does.
    pub(super) fn parquet(path: &Path, error: ParquetError) -> Self {
        let other = |error| Self::Parquet {
            path: path.to_owned(),
            error,
        };
        match error {
            ParquetError::External(external) => match external.downcast() {
                Ok(error) => Self::io("write", path, *error),
                Err(external) => other(ParquetError::External(external)),
            },
            error => other(error),
        }
    }
}

impl Hint for SinkError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::File(FileError::Exists(_)) => {
                Some("choose another output, or set `overwrite: true` to replace it".to_owned())
            }
            Self::File(error) => error.hint(),
            Self::Ledger(error) => error.hint(),
            Self::Shards(error) => error.hint(),
            Self::Name(error) => error.hint(),
            Self::NoOutput { .. } => Some(
                "give the path of an output that `embed` wrote, as the script names it".to_owned(),
            ),
            Self::Different { .. } => Some(
                "choose another output, or set `overwrite: true` to replace it".to_owned(),
            ),
            Self::InputChanged(_) => Some(
                "go on with the input that it was, choose another output, or set `resume: false` and \
                 `overwrite: true` to begin anew"
                    .to_owned(),
            ),
            Self::InTheWay(_) => Some(
                "choose another output, or move it away; parts whose ledger is gone can only be made \
                 again: remove them"
                    .to_owned(),
            ),
            Self::NoLedger(_) => Some(
                "put it back, choose another output, or set `overwrite: true` to compute it anew"
                    .to_owned(),
            ),
            Self::Inside { .. } => Some("choose another output".to_owned()),
            Self::PartsLost { .. } => Some(
                "run the script again: what is missing is computed again".to_owned(),
            ),
            Self::TakenOver(_) => Some("let the other one go on".to_owned()),
            Self::LedgerGone(path) => Some(format!(
                "put it back, or remove what is left of the output, `{}` too, and run the script again",
                path.parent().unwrap_or(path).display()
            )),
            Self::Parquet { .. } | Self::Uncommitted | Self::Writing(_) => None,
            Self::Stopped(_) => Some("export again: nothing of it is left".to_owned()),
            Self::Unfit { hint, .. } => Some(hint.clone()),
            Self::Unfinished(_) => Some(
                "run its script again, or merge its shards: `runner status` says what is missing"
                    .to_owned(),
            ),
            Self::Gap { .. } | Self::Conservation { .. } => Some(REPORT_IT.to_owned()),
            Self::Damaged { hint, .. } => Some((*hint).to_owned()),
            Self::NoParts => Some(REPORT_IT.to_owned()),
        }
    }
}

impl Hint for OrderError {
    fn hint(&self) -> Option<String> {
        Some(REPORT_IT.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_file_system_name_the_remedy() {
        let check = |code: i32, expected: Option<&str>| {
            let error = ParquetError::from(io::Error::from_raw_os_error(code));
            let error = SinkError::parquet(Path::new("out/x.parquet"), error);
            let message = error.to_string();
            assert!(
                message.starts_with("cannot write `out/x.parquet`: "),
                "{message}"
            );
            assert!(
                message.ends_with(&format!("(os error {code})")),
                "{message}"
            );
            assert_eq!(error.hint().as_deref(), expected);
        };
        check(
            28,
            Some("free some space, or choose an output on another file system"),
        );
        check(
            122,
            Some("free some space, or choose an output on another file system"),
        );
        check(
            27,
            Some(
                "raise the limit on the size of files, `ulimit -f`, or choose an output on another \
                 file system",
            ),
        );
        check(
            13,
            Some("choose an output in a folder that you may write to"),
        );
        check(5, None);
    }

    #[test]
    fn errors_of_the_format_keep_their_text() {
        let error = SinkError::parquet(Path::new("x"), ParquetError::General("odd".into()));
        assert_eq!(
            error.to_string(),
            "cannot write `x` as Parquet: Parquet error: odd"
        );
    }
}
