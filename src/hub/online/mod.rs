//! The Hub itself: what it is asked, and what is fetched from it into the cache.

mod client;
mod download;
mod failure;
mod fetch;
mod lock;
mod partial;
mod reporter;
mod request;
mod snapshot;
mod stream;
#[cfg(test)]
mod tests;

use crate::{
    cancel::CancelToken,
    hub::{
        environment::Environment,
        error::HubError,
        remote::Remote,
        repository::{Repository, Snapshot},
        step::Step,
    },
};
use client::Client;
use download::Download;
use std::ops::ControlFlow;

/// The connections to the Hub.
#[derive(Debug)]
pub(super) struct Connection(Client);

impl Connection {
    /// Those that the environment asks for. Nothing is opened yet.
    pub(super) fn new(environment: &Environment) -> Self {
        Self(Client::new(environment))
    }

    /// What a repository has.
    ///
    /// # Errors
    /// As [`Hub::look`](crate::hub::Hub::look).
    pub(super) fn look(
        &self,
        repository: &Repository,
        cancel: &CancelToken,
    ) -> Result<Remote, HubError> {
        request::look(&self.0, repository, &mut || go_on(cancel))
    }

    /// The text of a file of at most so many bytes.
    ///
    /// # Errors
    /// As [`Hub::text`](crate::hub::Hub::text).
    pub(super) fn text(
        &self,
        repository: &Repository,
        remote: &Remote,
        name: &str,
        most_bytes: u64,
        cancel: &CancelToken,
    ) -> Result<String, HubError> {
        let mut go_on = || go_on(cancel);
        request::text(&self.0, repository, remote, name, most_bytes, &mut go_on)
    }

    /// Has these files in the cache.
    ///
    /// # Errors
    /// As [`Hub::download`](crate::hub::Hub::download).
    pub(super) fn download(
        &self,
        repository: &Repository,
        remote: &Remote,
        names: &[String],
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        let download = Download {
            client: &self.0,
            repository,
            remote,
        };
        download.run(names, on_step)
    }
}

/// Whether to wait on.
fn go_on(cancel: &CancelToken) -> Result<(), HubError> {
    match cancel.reason() {
        None => Ok(()),
        Some(_) => Err(HubError::Interrupted),
    }
}
