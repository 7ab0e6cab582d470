//! What can go wrong with the reader subprocesses.

use crate::{
    fasta::InputError,
    hint::{Hint, REPORT_IT},
};
use std::{io, path::PathBuf};

/// What can go wrong with the reader subprocesses.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// The input is at fault, not the reader.
    #[error(transparent)]
    Input(InputError),
    /// This program does not know where it is.
    #[error("cannot find the program to start as a reader: {0}")]
    Program(io::Error),
    /// No thread or no event loop for looking after the readers.
    #[error("cannot look after readers: {0}")]
    Driver(io::Error),
    /// A reader could not be started.
    #[error("cannot start reader {reader}, `{}`: {source}", .program.display())]
    Spawn {
        /// The reader's number, from 0.
        reader: usize,
        /// What was to be started.
        program: PathBuf,
        /// Why it was not.
        source: io::Error,
    },
    /// A reader sees a GPU, where it would take memory and a context from the model.
    #[error("reader {reader} (process {pid}) must not see a GPU, but {fault}")]
    SeesGpu {
        /// The reader's number, from 0.
        reader: usize,
        /// Its process id.
        pid: u32,
        /// What it sees.
        fault: String,
    },
    /// A reader is another version of this program.
    #[error("reader {reader} (process {pid}) speaks protocol version {theirs}, not {ours}")]
    Version {
        /// The reader's number, from 0.
        reader: usize,
        /// Its process id.
        pid: u32,
        /// Its version.
        theirs: u32,
        /// The version that was expected.
        ours: u32,
    },
    /// Every reader failed with the same part of an input.
    #[error("`{file}`, {extent}: reading failed {n_tries} times, at last because {reason}")]
    Failed {
        /// The file, `-` for standard input.
        file: String,
        /// Which part of it, for people: "bytes 0 to 2097152".
        extent: String,
        /// How often it was tried.
        n_tries: u32,
        /// What went wrong the last time, with the reader's last words.
        reason: String,
        /// How to mend it.
        hint: &'static str,
    },
    /// The records that came are not those that the reader says it sent. It is always a bug.
    #[error("`{file}`: {n_arrived} records arrived of {n_sent} that a reader sent")]
    Miscounted {
        /// The file, `-` for standard input.
        file: String,
        /// Records of a work unit that came out.
        n_arrived: u64,
        /// Records of it that the reader counted.
        n_sent: u64,
    },
    /// Nobody looks after the readers any more. It is always a bug.
    #[error("the thread that looks after the readers ended without a word")]
    Lost,
}

impl Hint for ReaderError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Input(error) => return error.hint(),
            Self::Program(_) => "name it in `RUNNER_READER`",
            Self::Driver(_) => "is a limit of the system reached? see `ulimit -a`",
            Self::Spawn { .. } => {
                "is `RUNNER_READER` right? is a limit of the system reached, see `ulimit -u`?"
            }
            Self::SeesGpu { .. } => {
                "check `RUNNER_READER`, `LD_PRELOAD` and what wraps this program"
            }
            Self::Version { .. } => "was the program replaced while it ran? run again",
            Self::Failed { hint, .. } => hint,
            Self::Miscounted { .. } | Self::Lost => REPORT_IT,
        };
        Some(hint.to_owned())
    }
}
