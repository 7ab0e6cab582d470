//! A model whose files are not, or not all, on this machine, as the Hub has it.

use super::{
    Base,
    needed::{Need, Needed, needed},
};
use crate::{
    hub::{Hub, HubError, Remote, Repository, Snapshot, Step},
    model::{
        Config, ModelError,
        file_names::{ADAPTER_CONFIG, CONFIG, MOST_INDEX_BYTES},
    },
};
use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A model whose files are not, or not all, on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    pub(super) repository: Repository,
    pub(super) need: Need,
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

/// What the Hub has said to this process.
static SAID: Mutex<Said> = Mutex::new(Said {
    remotes: Vec::new(),
    texts: Vec::new(),
    failure: None,
});

/// A process asks once what a revision is, so that all of it works with the same commit, and once for a small
/// file. Of a failure only the next one who asks hears at once, and soon after it: the rehearsal of a script
/// hears of it first, and must not have the script wait again to hear the same.
struct Said {
    remotes: Vec<(Repository, Arc<Remote>)>,
    texts: Vec<((String, String, String), Arc<str>)>,
    failure: Option<(Repository, Arc<HubError>, Instant)>,
}

/// How long a failure is heard of again.
const FAILURE_STANDS: Duration = Duration::from_secs(10);

impl Absent {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Asks the Hub for the files that are needed. Nothing is written.
    ///
    /// # Errors
    /// If the Hub cannot be asked, does not have the model or not for us, or its repository is not that of a model.
    pub fn offer(&self) -> Result<Offer, ModelError> {
        let hub = Hub::from_env();
        let failed = |error| self.failed(error);
        let remote = self.remote(&hub).map_err(failed)?;
        let read = |name: &str| self.text(&hub, &remote, name).map(|text| text.to_string());
        let has = |name: &str| remote.file(name).is_some();
        let Needed { names, lacks } = needed(self.need, has, read).map_err(failed)?;
        if let Some(lacks) = lacks {
            return Err(ModelError::BadRepository {
                repository: self.repository.to_string(),
                lacks,
                files: remote.files.iter().map(|file| file.name.clone()).collect(),
            });
        }
        let cached = hub.cached(&Repository {
            id: self.repository.id.clone(),
            revision: Some(remote.commit.clone()),
        });
        let is_here = |name: &str| {
            let snapshot = cached.as_ref();
            snapshot.is_some_and(|snapshot| snapshot.folder.join(name).is_file())
        };
        let files = names.iter().filter_map(|name| remote.file(name));
        let to_come: Vec<_> = files.filter(|file| !is_here(&file.name)).collect();
        Ok(Offer {
            repository: self.repository.clone(),
            commit: remote.commit.clone(),
            n_files: to_come.len(),
            n_bytes: to_come.iter().map(|file| file.n_bytes).sum(),
            names,
            remote,
        })
    }

    /// As [`offer`](Self::offer), with what the Hub says now.
    ///
    /// # Errors
    /// As [`offer`](Self::offer).
    pub fn offer_now(&self) -> Result<Offer, ModelError> {
        said().remotes.retain(|(of, _)| *of != self.repository);
        said().failure = None;
        self.offer()
    }

    fn remote(&self, hub: &Hub) -> Result<Arc<Remote>, Arc<HubError>> {
        let failure = said().failure.take_if(|(of, ..)| *of == self.repository);
        if let Some((_, error, at)) = failure
            && at.elapsed() < FAILURE_STANDS
        {
            return Err(error);
        }
        let is_ours = |(of, _): &&(Repository, _)| *of == self.repository;
        if let Some((_, remote)) = said().remotes.iter().find(is_ours) {
            return Ok(remote.clone());
        }
        let remote = hub.look(&self.repository).map(Arc::new);
        let remote = remote.map_err(|error| self.remembered(error))?;
        said()
            .remotes
            .push((self.repository.clone(), remote.clone()));
        Ok(remote)
    }

    /// The text of a small file.
    fn text(&self, hub: &Hub, remote: &Remote, name: &str) -> Result<Arc<str>, Arc<HubError>> {
        let Repository { id, .. } = &self.repository;
        let key = (id.clone(), remote.commit.clone(), name.to_owned());
        if let Some((_, text)) = said().texts.iter().find(|(other, _)| *other == key) {
            return Ok(text.clone());
        }
        let text = hub.text(&self.repository, remote, name, MOST_INDEX_BYTES);
        let text: Arc<str> = text.map_err(|error| self.remembered(error))?.into();
        said().texts.push((key, text.clone()));
        Ok(text)
    }

    fn remembered(&self, error: HubError) -> Arc<HubError> {
        let error = Arc::new(error);
        said().failure = Some((self.repository.clone(), error.clone(), Instant::now()));
        error
    }

    fn failed(&self, error: Arc<HubError>) -> ModelError {
        ModelError::NotHere {
            repository: self.repository.to_string(),
            error,
        }
    }
}

impl Offer {
    /// What the model is described by.
    ///
    /// # Errors
    /// If it cannot be had, or is not that of an ESM-2.
    pub(in crate::model) fn described(&self) -> Result<Described, ModelError> {
        let absent = Absent {
            repository: self.repository.clone(),
            need: Need::Config,
        };
        let is_adapter = self.names.iter().any(|name| name == ADAPTER_CONFIG);
        let name = if is_adapter { ADAPTER_CONFIG } else { CONFIG };
        let text = absent.text(&Hub::from_env(), &self.remote, name);
        let text = text.map_err(|error| absent.failed(error))?;
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
    pub fn check(&self) -> Result<(), ModelError> {
        self.described().map(|_| ())
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
        Hub::from_env().download(&self.repository, &self.remote, &self.names, on_step)
    }
}

fn said() -> MutexGuard<'static, Said> {
    SAID.lock().unwrap_or_else(PoisonError::into_inner)
}
