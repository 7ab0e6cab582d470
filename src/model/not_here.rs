//! A model of the Hub whose files are not on this machine and cannot be had.

use crate::{
    hint::Hint,
    hub::{HubError, Repository},
};
use std::{fmt, path::PathBuf, sync::Arc};

/// A model of the Hub whose files are not on this machine and cannot be had.
#[derive(Clone, Debug)]
pub struct NotHere {
    /// Its id, and the revision that was asked for.
    pub repository: Repository,
    /// Whether the name could as well have been that of a folder: it is none of Meta's.
    pub may_be_folder: bool,
    /// The folder where it was looked for.
    pub cache: PathBuf,
    /// Whether some of the files are there.
    pub is_begun: bool,
    /// The revisions of the model that are there, if that which was asked for is not.
    pub revisions: Vec<String>,
    /// Why nobody gives them.
    pub error: Arc<HubError>,
}

impl std::error::Error for NotHere {}

impl fmt::Display for NotHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Revisions that a message lists.
        const MOST: usize = 5;
        let Self {
            repository,
            cache,
            error,
            ..
        } = self;
        match &**error {
            HubError::NoRepository { id, .. } if self.may_be_folder => {
                return write!(f, "there is no folder `{id}`, and {error}");
            }
            HubError::NoRepository { .. }
            | HubError::NoRevision { .. }
            | HubError::NoFile { .. }
            | HubError::Denied { .. } => return error.fmt(f),
            _ => {}
        }
        let (all, not) = if self.is_begun {
            ("not all", "")
        } else {
            ("the", " not")
        };
        let cache = cache.display();
        if self.may_be_folder && !self.is_begun && self.revisions.is_empty() {
            write!(f, "there is no folder `{}` here, and ", repository.id)?;
        }
        write!(
            f,
            "{all} files of the model `{repository}` are{not} on this machine, in the cache `{cache}`"
        )?;
        if !self.revisions.is_empty() {
            let shown = self.revisions.iter().take(MOST);
            let shown: Vec<_> = shown.map(|name| format!("`{name}`")).collect();
            let more = if self.revisions.len() > MOST {
                ", ..."
            } else {
                ""
            };
            write!(f, ", which has {}{more} of it", shown.join(", "))?;
        }
        write!(f, ": {error}")
    }
}

impl Hint for NotHere {
    fn hint(&self) -> Option<String> {
        let hint = self.error.hint_for(&self.repository.to_string())?;
        Some(match self.repository.is_short_commit() {
            true => format!("the name of a commit has 40 digits; {hint}"),
            false => hint,
        })
    }
}
