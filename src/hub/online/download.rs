//! Files of a commit, fetched into the cache.

use super::{
    client::{Client, Part},
    failure::Asked,
    fetch::Fetch,
    lock::Lock,
    partial::{Partial, n_bytes_there},
    reporter::{INTERVAL, Reporter},
    request::{file_address, page, patiently},
    snapshot::{WAYS, WAYS_WITHOUT_SYMLINKS, create_folders, note, place},
};
use crate::{
    file::{FileError, free_bytes},
    hub::{
        cache::Folder,
        error::HubError,
        remote::{Content, Remote, RemoteFile, total},
        repository::{Repository, Snapshot},
        step::{Step, Wait},
    },
};
use std::{ops::ControlFlow, path::Path};

/// Files of a commit that are to come into the cache.
pub(super) struct Download<'a> {
    pub client: &'a Client,
    pub repository: &'a Repository,
    pub remote: &'a Remote,
}

/// A file whose content is known.
struct Wanted<'a> {
    name: &'a str,
    n_bytes: u64,
    content: Content,
}

impl Download<'_> {
    /// Has these files in the cache.
    ///
    /// # Errors
    /// As [`Hub::download`](crate::hub::Hub::download).
    pub(super) fn run(
        &self,
        names: &[String],
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        let folder = Folder::of(&self.client.environment().cache, self.repository);
        let commit = &self.remote.commit;
        let files: Vec<_> = names
            .iter()
            .map(|name| self.file(name))
            .collect::<Result<_, _>>()?;
        let (here, missing): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| folder.file(commit, file).is_some());
        if missing.is_empty() {
            // A cache that cannot be written is good for reading.
            let _ = note(&folder, self.repository.revision(), commit);
            return Ok(folder.snapshot(commit));
        }
        if let Some(variable) = self.client.environment().offline {
            return Err(HubError::Offline { variable });
        }
        let wanted: Vec<_> = missing
            .into_iter()
            .map(|file| self.wanted(file, on_step))
            .collect::<Result<_, _>>()?;
        create_folders(&folder, commit)?;
        check_space(&folder, &wanted)?;
        let before = total(here.iter().map(|file| file.n_bytes));
        let of = total(wanted.iter().map(|file| file.n_bytes)).saturating_add(before);
        let mut reporter = Reporter::new(on_step, before, of);
        for file in &wanted {
            self.fetch(&folder, file, &mut reporter)?;
            reporter.done(file.name, file.n_bytes)?;
        }
        // Not before, so that whoever is offline still has the files of the last time.
        note(&folder, self.repository.revision(), commit)?;
        Ok(folder.snapshot(commit))
    }

    fn file(&self, name: &str) -> Result<&RemoteFile, HubError> {
        self.remote.file(name).ok_or_else(|| HubError::NoFile {
            id: self.repository.id.clone(),
            commit: self.remote.commit.clone(),
            name: name.to_owned(),
        })
    }

    /// Asks for what a file holds where the Hub has not said it.
    fn wanted<'a>(
        &self,
        file: &'a RemoteFile,
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Wanted<'a>, HubError> {
        let name = &file.name;
        if let Some(content) = file.content.clone() {
            let n_bytes = file.n_bytes;
            return Ok(Wanted {
                name,
                n_bytes,
                content,
            });
        }
        let page = page(self.client, self.repository);
        let address = file_address(self.client, self.repository, self.remote, name);
        let ask = move |client: &Client| Ok(client.get(&address, Part::Nothing)?.head);
        let wait = &Wait::Asking;
        let mut go_on = || match on_step(Step::Waiting { file: name, wait }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(HubError::Interrupted),
        };
        let head = patiently(self.client, self.asked(&page, name), ask, &mut go_on)?;
        match (head.content, head.whole_bytes) {
            (Some(content), Some(n_bytes)) => Ok(Wanted {
                name,
                n_bytes,
                content,
            }),
            _ => Err(HubError::Answer {
                host: head.host,
                reason: format!("it does not say what `{name}` holds"),
            }),
        }
    }

    fn fetch(
        &self,
        folder: &Folder,
        file: &Wanted,
        reporter: &mut Reporter,
    ) -> Result<(), HubError> {
        let Wanted {
            name,
            n_bytes,
            content,
        } = file;
        let blob = folder.blob(content);
        let path = folder.lock(content);
        let lock = loop {
            let taken = Lock::take(&path).map_err(|error| FileError::io("lock", &path, error))?;
            match taken {
                Some(lock) => break lock,
                None => reporter.wait(name, &Wait::Lock, INTERVAL)?,
            }
        };
        // Whoever had the lock has done it all, and others may use it by now.
        let commit = &self.remote.commit;
        if is_whole(&folder.snapshot(commit).folder.join(name), *n_bytes) {
            return Ok(());
        }
        if !is_whole(&blob, *n_bytes) {
            let mut on_read = || reporter.reading(name);
            let partial = Partial::open(&blob, content, *n_bytes, lock.excludes(), &mut on_read)?;
            reporter.say(name, partial.n_bytes(), *n_bytes)?;
            let page = page(self.client, self.repository);
            let fetch = Fetch {
                client: self.client,
                address: &file_address(self.client, self.repository, self.remote, name),
                name,
                n_bytes: *n_bytes,
                content,
                asked: self.asked(&page, name),
            };
            fetch.run(partial, reporter)?;
        }
        let ways = match self.client.environment().symlinks {
            true => WAYS,
            false => WAYS_WITHOUT_SYMLINKS,
        };
        place(folder, commit, name, content, ways)
    }

    fn asked<'a>(&'a self, page: &'a str, name: &'a str) -> Asked<'a> {
        Asked {
            repository: self.repository,
            page,
            file: Some((&self.remote.commit, name)),
        }
    }
}

/// Whether a blob or what leads to it is there. One of another size was damaged after it got its name.
fn is_whole(blob: &Path, n_bytes: u64) -> bool {
    blob.metadata()
        .is_ok_and(|found| found.is_file() && found.len() == n_bytes)
}

/// Whether there is room for what is to come.
fn check_space(folder: &Folder, wanted: &[Wanted]) -> Result<(), HubError> {
    let to_come = |file: &Wanted| {
        let blob = folder.blob(&file.content);
        match is_whole(&blob, file.n_bytes) {
            true => 0,
            false => file.n_bytes - n_bytes_there(&blob, &file.content, file.n_bytes),
        }
    };
    let needed = total(wanted.iter().map(to_come));
    match free_bytes(&folder.blobs()) {
        Some(free) if free < needed => Err(HubError::Full {
            folder: folder.cache().to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}
