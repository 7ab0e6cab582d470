//! `runner exec`.

use super::{args::Global, ending};
use crate::{
    cancel::{CancelToken, StopReason},
    error::exit_code,
    pipeline::Context,
    progress::{Console, Progress},
    reader::Pool,
    script::{self, LiveHost, Script, ScriptError},
    signal,
};
use std::path::Path;

/// Runs a script and returns the exit code.
pub(super) fn exec(global: &Global, console: &Console, path: &Path, args: &[String]) -> u8 {
    let cancel = CancelToken::default();
    let announcer = console.clone();
    let announce = move |reason| {
        if reason == StopReason::Interrupted {
            announcer.note("stopping; press Ctrl-C again to end at once");
        }
    };
    if let Err(error) = signal::watch(cancel.clone(), announce) {
        console.note(&format!("error: signals cannot be listened to: {error}"));
        return exit_code::UNEXPECTED;
    }
    let (progress, events) = Progress::start(global.style(), console);
    let result = Script::read(path, args.to_vec())
        .map_err(|diagnostic| ScriptError::Failed(Box::new(diagnostic)))
        .and_then(|script| {
            let host = LiveHost::new(Context {
                readers: Pool::new(),
                events,
                cancel: cancel.clone(),
            });
            script::run(&script, Box::new(host), Some(console.clone()), cancel)
        });
    progress.finish();
    ending::report(global, console, result)
}
