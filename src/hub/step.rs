//! How far a download is.

use std::{fmt, time::Duration};

/// How far a download is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Something has come. The first that is said of a file is what was there of it.
    Progress {
        /// The file.
        file: &'a str,
        /// How much of it is there.
        file_bytes: u64,
        /// Its size.
        file_of: u64,
        /// How much of all files that were asked for is there, what was in the cache included.
        bytes: u64,
        /// The size of them all.
        of: u64,
    },
    /// Nothing comes for now.
    Waiting {
        /// The file.
        file: &'a str,
        /// Why.
        wait: &'a Wait,
    },
}

/// Why nothing comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Another process fetches the same file, and has its lock.
    Lock,
    /// The Hub is asked what it holds, as it has not said so with its name.
    Asking,
    /// What is there of it is read first, which says whether it is right.
    Reading,
    /// It went wrong, and is tried again.
    Retry {
        /// What went wrong.
        reason: String,
        /// After how long it is tried again.
        after: Duration,
    },
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock => f.write_str("another process is downloading it"),
            Self::Asking => f.write_str("asking what it holds"),
            Self::Reading => f.write_str("reading what is there of it"),
            Self::Retry { reason, after } => {
                write!(f, "{reason}; trying again in {} s", after.as_secs().max(1))
            }
        }
    }
}
