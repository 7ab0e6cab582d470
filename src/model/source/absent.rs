//! A model whose files are not, or not all, on this machine, as the Hub has it.

use super::{
    Base, is_whole,
    needed::{Need, Needed, needed},
};
use crate::{
    cancel::CancelToken,
    hub::{Hub, HubError, Remote, RemoteFile, Repository, Snapshot, Step, total},
    model::{
        Config, ModelError,
        file_names::{ADAPTER_CONFIG, CONFIG, MOST_INDEX_BYTES},
        not_here::NotHere,
    },
};
use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

/// A model whose files are not, or not all, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    pub(super) repository: Repository,
    pub(super) need: Need,
    /// Whether the name could as well have been that of a folder.
    pub(super) may_be_folder: bool,
}

/// What the Hub has of such a model, and what of it is needed.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The repository.
    pub repository: Repository,
    /// The commit that the Hub has.
    pub commit: String,
    /// Files that are to come.
    pub n_files: usize,
    /// Bytes of them.
    pub n_bytes: u64,
    names: Vec<String>,
    remote: Arc<Remote>,
}

/// What a model is, by its description.
pub(in crate::model) enum Described {
    /// One that can be loaded by itself.
    Model(Config),
    /// Changes to another one.
    Adapter(Base),
}

impl Absent {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Asks the Hub for the files that are needed. Nothing is written.
    ///
    /// # Errors
    /// If the Hub cannot be asked, does not have the model or not for us, its repository is not
    /// that of a model, or it is told to stop.
    pub fn offer(&self, cancel: &CancelToken) -> Result<Offer, ModelError> {
        let hub = Hub::of_process();
        let remote = hub.look_once(&self.repository, cancel);
        let remote = remote.map_err(|error| self.failed(error))?;
        let read = |name: &str| {
            self.text(&remote, name, cancel)
                .map(|text| text.to_string())
        };
        let has = |name: &str| remote.file(name).is_some();
        let Needed { names, lacks } = needed(self.need, has, read)?;
        if let Some(lacks) = lacks {
            return Err(ModelError::BadRepository {
                repository: self.repository.to_string(),
                lacks,
                files: remote.files.iter().map(|file| file.name.clone()).collect(),
            });
        }
        let files = names.iter().filter_map(|name| remote.file(name));
        let is_here = |file: &RemoteFile| hub.has(&self.repository, &remote.commit, file);
        let to_come: Vec<_> = files.filter(|file| !is_here(file)).collect();
        Ok(Offer {
            repository: self.repository.clone(),
            commit: remote.commit.clone(),
            n_files: to_come.len(),
            n_bytes: total(to_come.iter().map(|file| file.n_bytes)),
            names,
            remote,
        })
    }

    /// As [`offer`](Self::offer), with what the Hub says now.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn offer_now(&self, cancel: &CancelToken) -> Result<Offer, ModelError> {
        Hub::of_process().forget(&self.repository);
        self.offer(cancel)
    }

    /// The text of a small file.
    fn text(
        &self,
        remote: &Remote,
        name: &str,
        cancel: &CancelToken,
    ) -> Result<Arc<str>, ModelError> {
        let hub = Hub::of_process();
        hub.text_once(&self.repository, remote, name, MOST_INDEX_BYTES, cancel)
            .map_err(|error| self.failed(error))
    }

    /// Whether other processes, too, find this commit when they look for it.
    pub fn is_noted(&self, commit: &str) -> bool {
        Hub::of_process().is_noted(&self.repository, commit)
    }

    /// What the cache has of it, if that is all.
    pub fn cached(&self) -> Option<Snapshot> {
        let snapshot = Hub::of_process().cached(&self.repository);
        snapshot.filter(|snapshot| is_whole(&snapshot.folder, self.need))
    }

    fn failed(&self, error: Arc<HubError>) -> ModelError {
        let hub = Hub::of_process();
        let is_begun = hub.cached(&self.repository).is_some();
        ModelError::NotHere(Box::new(NotHere {
            repository: self.repository.clone(),
            may_be_folder: self.may_be_folder,
            cache: hub.cache().to_owned(),
            is_begun,
            revisions: match is_begun {
                true => Vec::new(),
                false => hub.revisions_like(&self.repository),
            },
            error,
        }))
    }
}

impl Offer {
    /// What the model is described by.
    ///
    /// # Errors
    /// If it cannot be had, or is not that of an ESM-2.
    pub(in crate::model) fn described(
        &self,
        cancel: &CancelToken,
    ) -> Result<Described, ModelError> {
        let absent = Absent {
            repository: self.repository.clone(),
            need: Need::Config,
            may_be_folder: false,
        };
        let is_adapter = self.names.iter().any(|name| name == ADAPTER_CONFIG);
        let name = if is_adapter { ADAPTER_CONFIG } else { CONFIG };
        let text = absent.text(&self.remote, name, cancel)?;
        let bad = |reasons| ModelError::Config {
            path: PathBuf::from(format!("{}/{name}", self.repository)),
            reasons,
        };
        if is_adapter {
            let base = Base::of_text(&text).map(Described::Adapter);
            return base.ok_or_else(|| bad(vec![Base::why_none(&text).text]));
        }
        Config::parse(&text).map(Described::Model).map_err(bad)
    }

    /// Checks that it is a model that this program computes, or an adapter, as far as its description says it.
    ///
    /// # Errors
    /// If the description cannot be had, or is not that of an ESM-2.
    pub fn check(&self, cancel: &CancelToken) -> Result<(), ModelError> {
        self.described(cancel).map(|_| ())
    }

    /// Has the files in the cache, and fetches those that are not there. `on_step` is told about ten times a
    /// second, and ends it.
    ///
    /// # Errors
    /// If they cannot be had or kept, or `on_step` says so.
    pub fn fetch(
        &self,
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        Hub::of_process().download(&self.repository, &self.remote, &self.names, on_step)
    }
}
