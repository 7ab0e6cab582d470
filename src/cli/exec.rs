//! `runner exec`.

use super::{args::Global, ending, restart, shard::ChosenShard, work_args::Work};
use crate::{
    event::Event,
    host::LiveHost,
    monitor::Recorder,
    pipeline::Context,
    progress::{Console, Progress},
    reader::{PROGRAM_VARIABLE, Pool},
    script::{Diagnostic, Finished, Script, ScriptError},
    text::printable,
};
use serde_json::json;
use std::{cell::Cell, env, rc::Rc};

/// Runs the script that `read` gives, and returns the exit code. Hints are said in the words that `reword` makes of
/// them.
pub(super) fn exec(
    global: &Global,
    console: &Console,
    read: impl FnOnce() -> Result<Script, Diagnostic>,
    work: &Work,
    reword: impl Fn(&str) -> String,
) -> u8 {
    let mut progress = None;
    let is_for_a_restart = Rc::<Cell<bool>>::default();
    let result = work.run(
        global,
        console,
        read,
        Some(console.clone()),
        |script, chosen, cancel| {
            let (shown, events) = Progress::start(global.style(), console);
            progress = Some(shown);
            if let Some(ChosenShard { shard, by }) = &chosen {
                events.send(Event::Shard {
                    shard: shard.to_string(),
                    by: by.clone(),
                });
            }
            let context = Context {
                readers: match env::var_os(PROGRAM_VARIABLE) {
                    Some(program) => Pool::with_program(program.into()),
                    None => Pool::new(),
                },
                n_runs: 0,
                has_told_of_truncation: false,
                shard: chosen.map(|chosen| chosen.shard),
                recorder: Recorder::default(),
                events,
                cancel: cancel.clone(),
            };
            let host = LiveHost::new(context, &script.name, is_for_a_restart.clone());
            Box::new(host)
        },
    );
    drop(progress);
    if let Ok(Err(ScriptError::Failed(reason))) = &result
        && is_for_a_restart.get()
    {
        restart::restart(global, console, reason);
    }
    match result {
        Ok(result) => {
            let result = result.map_err(|error| match error {
                ScriptError::Failed(diagnostic) => {
                    ScriptError::Failed(Box::new(diagnostic.with_hints(reword)))
                }
                other => other,
            });
            if let Ok(Finished { n_runs: 0, .. }) = result {
                for (_, path) in work.recordings.files() {
                    let path = path.display();
                    let message = format!("`{path}` was not written: the script embeds nothing");
                    console.note(&if global.is_json() {
                        json!({ "event": "warning", "message": message }).to_string()
                    } else {
                        printable(&format!("warning: {message}")).into_owned()
                    });
                }
            }
            ending::report(global, console, result)
        }
        Err(exit_code) => exit_code,
    }
}
