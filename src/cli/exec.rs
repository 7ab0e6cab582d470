//! `runner exec`.

use super::{
    args::{Global, Work},
    ending, restart,
    shard::ChosenShard,
};
use crate::{
    event::Event,
    host::LiveHost,
    monitor::Recorder,
    pipeline::Context,
    progress::{Console, Progress},
    reader::{PROGRAM_VARIABLE, Pool},
    script::{Diagnostic, Script, ScriptError},
};
use std::{cell::Cell, env, rc::Rc};

/// Runs the script that `read` gives, and returns the exit code.
pub(super) fn exec(
    global: &Global,
    console: &Console,
    read: impl FnOnce() -> Result<Script, Diagnostic>,
    work: &Work,
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
        Ok(result) => ending::report(global, console, result),
        Err(exit_code) => exit_code,
    }
}
