//! The process that makes one check for another process.

use super::{
    check::{STACK_BYTES, broke_down},
    checks,
    finding::Finding,
    machine::Machine,
};
use crate::device;
use nix::sys::{prctl, signal::Signal};
use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    panic,
    process::ExitCode,
    thread::{self, JoinHandle},
};

/// Makes one check, and writes what it finds to standard output, a line a finding.
pub fn look_apart() -> ExitCode {
    // Without it a library that hangs would outlive a parent that is killed.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    panic::set_hook(Box::new(|_| {}));
    let mut words = env::args_os().skip(2);
    let (section, name) = (words.next(), words.next());
    let is_it = |text: &str, word: &Option<OsString>| word.as_deref() == Some(text.as_ref());
    let check = checks::ALL
        .iter()
        .find(|check| is_it(check.section, &section) && is_it(check.name, &name));
    let Some(check) = check else {
        return ExitCode::FAILURE;
    };
    let look = || (check.look)(&Machine::default(), &mut |finding| say(Some(&finding)));
    // A thread, as the stack that this process began with may be a small one.
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let ended = thread.spawn(look).map(JoinHandle::join);
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => say(Some(&broke_down(check.name, &*panic))),
        Err(_) => return ExitCode::FAILURE,
    }
    say(None);
    // What a library would do at an end may hang, too.
    device::end_at_once(0)
}

/// Without a parent nobody listens, and that is fine.
fn say(finding: Option<&Finding>) {
    if let Ok(line) = serde_json::to_string(&finding) {
        // It ends a line that a library may have begun.
        let _ = io::stdout().write_all(format!("\n{line}\n").as_bytes());
        let _ = io::stdout().flush();
    }
}
