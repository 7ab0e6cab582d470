//! A program that must end within two minutes.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    io::Write,
    process::{Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// A program that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs a program with `input` on its standard input, and gives what it leaves. One that hangs is killed,
/// so that it has no exit code.
pub fn finish(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let process = Pid::from_raw(i32::try_from(child.id()).expect("Linux has no larger ones"));
    let (ended, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program may end without having read all of it.
            let _ = stdin.write_all(input);
        });
        scope.spawn(move || {
            if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                kill(process, Signal::SIGKILL).expect("it is still there");
            }
        });
        let output = child.wait_with_output().expect("what it wrote");
        drop(ended);
        output
    })
}
