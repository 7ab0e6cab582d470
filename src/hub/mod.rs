//! Models of the Hugging Face Hub: what is in the cache of this machine, and what is fetched into it.
//!
//! *Input*: the id of a repository, and the names of files in it. *Output*: a folder with these files, in the
//! cache that Python's `huggingface_hub` uses, so that nothing is fetched twice. *Owns*: the layout of the
//! cache, its locks, the connections, the token. *Never*: knows what the files are for, shows the token, gives
//! a file its name before it is known to be whole.

#![cfg_attr(
    not(feature = "download"),
    expect(dead_code, reason = "what is for downloads is not used then")
)]

mod cache;
mod environment;
mod error;
mod odd_variable;
#[cfg(not(feature = "download"))]
#[path = "offline.rs"]
mod online;
#[cfg(feature = "download")]
mod online;
mod proxy;
mod remote;
mod repository;
mod said;
mod step;
mod token;

pub use cache::{id_of_folder, repository_of_file};
pub use error::{Denial, HubError, Obstacle};
pub use odd_variable::OddVariable;
pub use remote::{Content, Remote, RemoteFile, total};
pub use repository::{Repository, Snapshot};
pub use step::{Step, Wait};

use crate::cancel::CancelToken;
use cache::Folder;
use environment::{Environment, NoToken};
use online::Connection;
use said::Said;
use std::{
    fs,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, LazyLock},
};

/// The Hub, as this machine reaches it, and its cache.
#[derive(Debug)]
pub struct Hub {
    environment: Environment,
    said: Said,
    connection: Connection,
}

impl Hub {
    /// That of this process, as its environment says, in the variables that `huggingface_hub` reads.
    pub fn of_process() -> &'static Self {
        static HUB: LazyLock<Hub> = LazyLock::new(|| Hub::of(Environment::of_process()));
        &HUB
    }

    fn of(environment: Environment) -> Self {
        Self {
            connection: Connection::new(&environment),
            said: Said::default(),
            environment,
        }
    }

    /// The folder of the cache, which may not be there yet.
    pub fn cache(&self) -> &Path {
        &self.environment.cache
    }

    /// What is in the cache of a repository, whatever files that is. Nobody is asked.
    pub fn cached(&self, repository: &Repository) -> Option<Snapshot> {
        repository.check().ok()?;
        let folder = Folder::of(self.cache(), repository);
        match self.said.commit(repository) {
            // Where the cache cannot be written, nobody could note which commit it is.
            Some(commit) => folder.cached(&commit),
            None => folder.cached(repository.revision()),
        }
    }

    /// Whether other processes, too, find this commit when they look for the revision of a repository.
    pub fn is_noted(&self, repository: &Repository, commit: &str) -> bool {
        let noted = Folder::of(self.cache(), repository).cached(repository.revision());
        noted.is_some_and(|snapshot| snapshot.commit == commit)
    }

    /// The revisions of a repository that are in the cache: branches, tags, and the commits that begin as the
    /// revision that was asked for.
    pub fn revisions_like(&self, repository: &Repository) -> Vec<String> {
        match repository.check() {
            Ok(()) => Folder::of(self.cache(), repository).revisions_like(repository.revision()),
            Err(_) => Vec::new(),
        }
    }

    /// Whether the cache has a file of a commit, as long as the Hub says it is.
    pub fn has(&self, repository: &Repository, commit: &str, file: &RemoteFile) -> bool {
        let folder = Folder::of(self.cache(), repository);
        repository.check().is_ok() && folder.file(commit, file).is_some()
    }

    /// Asks the Hub what a repository has. Nothing is written.
    ///
    /// # Errors
    /// If the Hub cannot be asked, or does not have it, or not for us, or it is told to stop.
    pub fn look(&self, repository: &Repository, cancel: &CancelToken) -> Result<Remote, HubError> {
        self.check(repository)?;
        self.connection.look(repository, cancel)
    }

    /// As [`look`](Self::look), but asks only once, so that all of a process works with the same commit. Of a
    /// failure only the next one who asks hears at once, and soon after it: the rehearsal of a script hears of it
    /// first, and must not have the script wait again to hear the same.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn look_once(
        &self,
        repository: &Repository,
        cancel: &CancelToken,
    ) -> Result<Arc<Remote>, Arc<HubError>> {
        self.said
            .remote(repository, || self.look(repository, cancel))
    }

    /// As [`text`](Self::text), but asks only once.
    ///
    /// # Errors
    /// As [`text`](Self::text).
    pub fn text_once(
        &self,
        repository: &Repository,
        remote: &Remote,
        name: &str,
        most_bytes: u64,
        cancel: &CancelToken,
    ) -> Result<Arc<str>, Arc<HubError>> {
        let read = || self.text(repository, remote, name, most_bytes, cancel);
        self.said.text(repository, &remote.commit, name, read)
    }

    /// Forgets what [`look_once`](Self::look_once) was told.
    pub fn forget(&self, repository: &Repository) {
        self.said.forget(repository);
    }

    /// The text of a small file. Nothing is written.
    ///
    /// # Errors
    /// - As [`Hub::look`].
    /// - If the file has more than `most_bytes`, or is no text.
    pub fn text(
        &self,
        repository: &Repository,
        remote: &Remote,
        name: &str,
        most_bytes: u64,
        cancel: &CancelToken,
    ) -> Result<String, HubError> {
        repository.check()?;
        let file = remote.file(name).ok_or_else(|| HubError::NoFile {
            id: repository.id.clone(),
            commit: remote.commit.clone(),
            name: name.to_owned(),
        })?;
        let not_small_text = |reason| HubError::NotSmallText {
            name: name.to_owned(),
            reason,
        };
        if file.n_bytes > most_bytes {
            let n_bytes = file.n_bytes;
            return Err(not_small_text(format!(
                "it has {n_bytes} bytes, and {most_bytes} are the most"
            )));
        }
        let here = Folder::of(self.cache(), repository).file(&remote.commit, file);
        if let Some(text) = here.and_then(|path| fs::read_to_string(path).ok()) {
            return Ok(text);
        }
        self.check(repository)?;
        self.connection
            .text(repository, remote, name, most_bytes, cancel)
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
        repository.check()?;
        let snapshot = self
            .connection
            .download(repository, remote, names, on_step)?;
        self.said.settle(repository, &snapshot.commit);
        Ok(snapshot)
    }

    /// The variables that keep this process from reaching the Hub.
    pub fn odd_variables(&self) -> Vec<OddVariable> {
        let endpoint = odd_variable::of_endpoint(&self.environment.endpoint);
        let certificates = odd_variable::of_certificates();
        endpoint.into_iter().chain(certificates).collect()
    }

    /// Whether anybody may be asked for it.
    fn check(&self, repository: &Repository) -> Result<(), HubError> {
        repository.check()?;
        if self.environment.offline.is_none()
            && let Some(odd) = odd_variable::of_endpoint(&self.environment.endpoint)
        {
            return Err(HubError::NoEndpoint(odd));
        }
        match (self.environment.offline, &self.environment.token) {
            (Some(variable), _) => Err(HubError::Offline { variable }),
            (None, Ok(_)) => Ok(()),
            (
                None,
                Err(NoToken {
                    place,
                    flaw,
                    is_file,
                }),
            ) => Err(HubError::NoToken {
                place: place.clone(),
                flaw,
                is_file: *is_file,
            }),
        }
    }
}
