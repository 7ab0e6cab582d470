//! The program in place of itself, where its GPUs are lost and the next process has them again.

use super::{args::Global, ending};
use crate::{progress::Console, script::Diagnostic};
use std::{env, io, os::unix::process::CommandExt, process::Command};

/// Says how often the program took its own place, so that it does not do so for ever.
const VARIABLE: &str = "RUNNER_RESTARTS";
const MOST_RESTARTS: u32 = 3;

/// Begins the program anew in this process, with the same arguments. Returns only if that is not possible or
/// has been done often enough.
///
/// A kernel that fails takes all GPUs of its process with it: the driver answers nothing but that error from
/// then on, on the healthy ones, too. A script that is run again goes on where its outputs are.
pub(super) fn restart(global: &Global, console: &Console, reason: &Diagnostic) {
    let before = env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let number = before.unwrap_or(0) + 1;
    let Some(program) = env::current_exe().ok().filter(|_| number <= MOST_RESTARTS) else {
        return;
    };
    let note = ending::restarting(&reason.message, number, MOST_RESTARTS);
    console.note(&if global.is_json() {
        note.line
    } else {
        note.text
    });
    let mut command = Command::new(program);
    command.args(env::args_os().skip(1));
    let error: io::Error = command.env(VARIABLE, number.to_string()).exec();
    tracing::warn!("the program cannot be begun anew: {error}");
}
