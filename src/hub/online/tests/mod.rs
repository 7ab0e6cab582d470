//! Downloads from a Hub of our own on this machine.

mod damage;
mod denial;
mod going_on;
mod layout;
mod python;
#[path = "../../../../tests/it/hub/server/mod.rs"]
mod server;

use crate::{
    cancel::{CancelToken, StopReason},
    hub::{Hub, HubError, Repository, Snapshot, Step, Wait, environment::Environment},
};
use server::{Fault, Gate, Request, Server};
use std::{fs, ops::ControlFlow, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// A repository of the tests.
const ID: &str = "lab/model";

/// A Hub with a model, and a cache.
struct Fixture {
    server: Server,
    cache: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Fixture {
    /// A model with a file of git and one of LFS.
    fn new() -> Self {
        let server = Server::start();
        server.put(ID, "config.json", br#"{"model_type": "esm"}"#, false);
        server.put(ID, "model.safetensors", &weights(), true);
        Self {
            variables: vec![("HF_ENDPOINT", server.endpoint.clone())],
            server,
            cache: tempfile::tempdir().unwrap(),
        }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.push((name, value.to_owned()));
    }

    fn has(&self, name: &str) -> bool {
        self.variables.iter().any(|(variable, _)| *variable == name)
    }

    fn hub(&self) -> Hub {
        let mut environment = Environment::of(&|name| match name {
            "HF_HUB_CACHE" if !self.has(name) => Some(self.cache.path().as_os_str().to_owned()),
            _ => {
                let found = self
                    .variables
                    .iter()
                    .find(|(variable, _)| *variable == name);
                found.map(|(_, value)| value.into())
            }
        });
        environment.pause = Duration::from_millis(2);
        environment.download_timeout = Duration::from_secs(1);
        environment.answer_timeout = Duration::from_secs(1);
        environment.whole_answer_timeout = Duration::from_secs(2);
        Hub::of(environment)
    }

    fn download(&self) -> Result<Snapshot, HubError> {
        self.download_with(&mut |_| ControlFlow::Continue(()))
    }

    fn download_with(
        &self,
        on_step: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Snapshot, HubError> {
        let hub = self.hub();
        let remote = hub.look(&repository(None), &CancelToken::default())?;
        let names = ["config.json", "model.safetensors"].map(str::to_owned);
        hub.download(&repository(None), &remote, &names, on_step)
    }

    /// Checks that all is there, with what the Hub has.
    fn check(&self, snapshot: &Snapshot) {
        assert_eq!(snapshot.commit, self.server.commit(ID));
        let read = |name: &str| fs::read(snapshot.folder.join(name)).unwrap();
        assert_eq!(read("config.json"), br#"{"model_type": "esm"}"#);
        assert_eq!(read("model.safetensors"), weights());
        assert_eq!(self.blobs().len(), 2, "{:?}", self.blobs());
    }

    fn repository_folder(&self) -> PathBuf {
        self.cache.path().join("models--lab--model")
    }

    /// The names and sizes of what is beside blobs and of blobs.
    fn blobs(&self) -> Vec<(String, u64)> {
        let entries = fs::read_dir(self.repository_folder().join("blobs"))
            .into_iter()
            .flatten();
        let named = entries.flatten().map(|entry| {
            let n_bytes = entry.metadata().unwrap().len();
            (entry.file_name().to_string_lossy().into_owned(), n_bytes)
        });
        let mut blobs: Vec<_> = named.collect();
        blobs.sort();
        blobs
    }

    /// The requests for what is in the large file.
    fn content_requests(&self) -> Vec<Request> {
        let requests = self.server.take_requests();
        requests
            .into_iter()
            .filter(|request| request.is_store)
            .collect()
    }
}

fn repository(revision: Option<&str>) -> Repository {
    Repository {
        id: ID.to_owned(),
        revision: revision.map(str::to_owned),
    }
}

/// What the large file has.
fn weights() -> Vec<u8> {
    (0..2_000_000_u32)
        .map(|byte| (byte.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}
