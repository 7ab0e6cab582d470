//! `runner exec`.

use super::{
    args::{Global, Records},
    ending,
};
use crate::{
    monitor::Recorder,
    pipeline::Context,
    progress::{Console, Progress},
    reader::Pool,
    script::{self, LiveHost, Script, ScriptError},
};
use std::path::Path;

/// Runs a script and returns the exit code.
pub(super) fn exec(
    global: &Global,
    console: &Console,
    path: &Path,
    records: &Records,
    args: &[String],
) -> u8 {
    // Before signals are caught: a script that comes through a pipe may never come.
    let script = Script::read(path, args.to_vec());
    let cancel = match super::stopped_by_signals(global, console) {
        Ok(cancel) => cancel,
        Err(exit_code) => return exit_code,
    };
    let (progress, events) = Progress::start(global.style(), console);
    let result = script.map(|script| {
        let context = Context {
            readers: Pool::new(),
            n_runs: 0,
            so_far: None,
            recorder: Recorder::default(),
            events,
            cancel: cancel.clone(),
        };
        let host = LiveHost::new(context, &script.name);
        (script, host)
    });
    let result = result
        .map_err(|diagnostic| ScriptError::Failed(Box::new(diagnostic)))
        .and_then(|(script, host)| {
            let records = records.files();
            let console = Some(console.clone());
            script::run(&script, &records, Box::new(host), console, cancel)
        });
    drop(progress);
    ending::report(global, console, result)
}
