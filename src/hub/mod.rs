//! Models of the Hugging Face Hub: what is in the cache of this machine, and what is fetched into it.
//!
//! *Input*: the id of a repository, and the names of files in it. *Output*: a folder with these files, in the
//! cache that Python's `huggingface_hub` uses, so that nothing is fetched twice. *Owns*: the layout of the
//! cache, its locks, the connections, the token. *Never*: knows what the files are for, shows the token, gives
//! a file its name before it is known to be whole.

mod error;
mod remote;
mod repository;
mod step;

pub use error::HubError;
pub use remote::{Remote, RemoteFile};
pub use repository::{Repository, Snapshot};
pub use step::{Step, Wait};

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// The Hub, as this machine reaches it, and its cache.
#[derive(Clone, Debug)]
pub struct Hub {
    cache: PathBuf,
}

impl Hub {
    /// As the environment says.
    pub fn from_env() -> Self {
        Self {
            cache: PathBuf::new(),
        }
    }

    /// The folder of the cache, which may not be there yet.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// What is in the cache of a repository, whatever files that is. Nobody is asked.
    pub fn cached(&self, repository: &Repository) -> Option<Snapshot> {
        let _ = repository;
        None
    }

    /// Asks the Hub what a repository has. Nothing is written.
    ///
    /// # Errors
    /// If the Hub cannot be asked, or does not have it, or not for us.
    pub fn look(&self, repository: &Repository) -> Result<Remote, HubError> {
        let _ = repository;
        Err(HubError::NotBuilt)
    }

    /// The text of a small file. Nothing is written.
    ///
    /// # Errors
    /// - As [`Hub::look`].
    /// - If the file has more than `most_bytes`.
    pub fn text(
        &self,
        repository: &Repository,
        remote: &Remote,
        name: &str,
        most_bytes: u64,
    ) -> Result<String, HubError> {
        let _ = (repository, remote, name, most_bytes);
        Err(HubError::NotBuilt)
    }

    /// Has these files in the cache, and fetches those that are not there yet. `on_step` hears of it about ten
    /// times a second, and ends it with `Break`: what has come stays, for the next time.
    ///
    /// # Errors
    /// - As [`Hub::look`].
    /// - If the cache cannot be written, or has no room.
    pub fn download(
        &self,
        repository: &Repository,
        remote: &Remote,
        names: &[String],
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        let _ = (repository, remote, names, on_step);
        Err(HubError::NotBuilt)
    }
}
