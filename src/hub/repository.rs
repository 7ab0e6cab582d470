//! A repository of models, and a commit of it that is on this machine.

use std::{fmt, path::PathBuf};

/// The branch that is meant when none is named.
pub const DEFAULT_REVISION: &str = "main";

/// A repository of models.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Repository {
    /// Its id, `organisation/name`.
    pub id: String,
    /// A branch, a tag or a commit. Without it, `main`.
    pub revision: Option<String>,
}

/// A commit of a repository, as far as its files are on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The folder with the files.
    pub folder: PathBuf,
    /// The commit.
    pub commit: String,
}

impl Repository {
    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(DEFAULT_REVISION)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}
