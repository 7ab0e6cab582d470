//! What the Hub has said to this process.

use super::{error::HubError, remote::Remote, repository::Repository};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long a failure is heard of again.
const FAILURE_STANDS: Duration = Duration::from_secs(10);

/// What the Hub has said to this process.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    remotes: Vec<(Repository, Arc<Remote>)>,
    texts: Vec<(Text, Arc<str>)>,
    failure: Option<(Repository, Arc<HubError>, Instant)>,
    /// The commits whose files were had in the cache.
    commits: Vec<(Repository, String)>,
}

/// A file of a commit.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    id: String,
    commit: String,
    name: String,
}

impl Said {
    /// What a repository has, as it was said first, else as `look` says it. Of a failure only the next one who
    /// asks hears at once.
    pub(super) fn remote(
        &self,
        repository: &Repository,
        look: impl FnOnce() -> Result<Remote, HubError>,
    ) -> Result<Arc<Remote>, Arc<HubError>> {
        let is_ours = |of: &Repository| of == repository;
        let failure = self.memory().failure.take_if(|(of, ..)| is_ours(of));
        if let Some((_, error, at)) = failure
            && at.elapsed() < FAILURE_STANDS
        {
            return Err(error);
        }
        if let Some((_, remote)) = self.memory().remotes.iter().find(|(of, _)| is_ours(of)) {
            return Ok(remote.clone());
        }
        // Nobody has the memory while the Hub is asked.
        let remote = look().map(Arc::new);
        let remote = remote.map_err(|error| self.remembered(repository, error))?;
        let said = (repository.clone(), remote.clone());
        self.memory().remotes.push(said);
        Ok(remote)
    }

    /// The text of a small file, as it was said first, else as `read` says it.
    pub(super) fn text(
        &self,
        repository: &Repository,
        commit: &str,
        name: &str,
        read: impl FnOnce() -> Result<String, HubError>,
    ) -> Result<Arc<str>, Arc<HubError>> {
        let file = Text {
            id: repository.id.clone(),
            commit: commit.to_owned(),
            name: name.to_owned(),
        };
        if let Some((_, text)) = self.memory().texts.iter().find(|(of, _)| *of == file) {
            return Ok(text.clone());
        }
        let text = read().map_err(|error| self.remembered(repository, error))?;
        let text: Arc<str> = text.into();
        self.memory().texts.push((file, text.clone()));
        Ok(text)
    }

    /// The commit of a repository whose files this process has had in the cache.
    pub(super) fn commit(&self, repository: &Repository) -> Option<String> {
        let memory = self.memory();
        let mut commits = memory.commits.iter();
        commits.find_map(|(of, commit)| (of == repository).then(|| commit.clone()))
    }

    /// The files of a commit are in the cache.
    pub(super) fn settle(&self, repository: &Repository, commit: &str) {
        let mut memory = self.memory();
        memory.commits.retain(|(of, _)| of != repository);
        memory.commits.push((repository.clone(), commit.to_owned()));
    }

    /// Forgets what a repository has, and what went wrong.
    pub(super) fn forget(&self, repository: &Repository) {
        let mut memory = self.memory();
        memory.remotes.retain(|(of, _)| of != repository);
        memory.failure = None;
    }

    fn remembered(&self, repository: &Repository, error: HubError) -> Arc<HubError> {
        let error = Arc::new(error);
        self.memory().failure = Some((repository.clone(), error.clone(), Instant::now()));
        error
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_heard_once_more_and_an_answer_always() {
        let said = Said::default();
        let repository = Repository {
            id: "o/m".to_owned(),
            revision: None,
        };
        let look = |answer: Result<&str, HubError>| {
            let mut is_asked = false;
            let remote = said.remote(&repository, || {
                is_asked = true;
                let commit = answer?.to_owned();
                Ok(Remote {
                    commit,
                    files: Vec::new(),
                })
            });
            (remote.ok().map(|remote| remote.commit.clone()), is_asked)
        };
        assert_eq!(look(Err(HubError::NotBuilt)), (None, true));
        assert_eq!(look(Ok("a")), (None, false));
        assert_eq!(look(Ok("a")), (Some("a".to_owned()), true));
        assert_eq!(look(Ok("b")), (Some("a".to_owned()), false));
        said.forget(&repository);
        assert_eq!(look(Ok("b")), (Some("b".to_owned()), true));
    }
}
