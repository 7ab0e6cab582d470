//! What a run in the process of the test needs.

use crate::{DEMO, RUNNER};
use runner::{
    cancel::CancelToken,
    event::EventSender,
    job::{DeviceChoice, Mock, ModelSpec},
    model::Model,
    monitor::Recorder,
    pipeline::{Context, Notice, Watcher},
    reader::{PROGRAM_VARIABLE, Pool},
};
use std::{env, ops::ControlFlow, path::PathBuf};

/// The smallest model on a device that hashes.
pub fn mock_model(mock: Mock) -> Model {
    let spec = ModelSpec {
        device: DeviceChoice::Mock,
        mock,
        ..ModelSpec::new(DEMO)
    };
    Model::load(&spec).unwrap()
}

/// Readers that are the program; a bundle for another machine names its own.
pub fn real_pool() -> Pool {
    let named = env::var_os(PROGRAM_VARIABLE);
    Pool::with_program(named.map_or_else(|| RUNNER.into(), PathBuf::from))
}

/// What the runs of a script share.
pub fn context(readers: Pool, recorder: Recorder, events: EventSender) -> Context {
    Context {
        readers,
        n_runs: 0,
        has_told_of_truncation: false,
        shard: None,
        recorder,
        events,
        cancel: CancelToken::default(),
    }
}

/// Follows a run and says nothing.
pub struct Unwatched;

impl Watcher for Unwatched {
    fn notice(&mut self, _notice: Notice) -> ControlFlow<String> {
        ControlFlow::Continue(())
    }
}
