//! The `^C` that terminals show, which would push bars off their place.

use nix::{
    sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr},
    unistd::{getpgrp, tcgetpgrp},
};
use std::{
    io::{self, Write, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the terminal did before.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Has the terminal show nothing for Ctrl-C. The cursor waits at the right edge, behind the last bar: what is shown
/// there goes to the next line, and bars are cleared one line too low.
pub(super) fn hold() {
    let mut before = before();
    if before.is_some() || !is_ours() {
        return;
    }
    if let Ok(found) = tcgetattr(stderr()) {
        let mut silent = found.clone();
        silent.local_flags.remove(LocalFlags::ECHOCTL);
        if tcsetattr(stderr(), SetArg::TCSANOW, &silent).is_ok() {
            *before = Some(found);
        }
    }
}

/// Has the terminal do as before.
pub(super) fn release() {
    // In the background that would stop this process; the shell has the terminal as it wants it then.
    if let Some(found) = before().take()
        && is_ours()
    {
        let _ = tcsetattr(stderr(), SetArg::TCSANOW, &found);
    }
}

/// Leaves the terminal to whoever comes next, where the program ends with bars on it.
pub fn leave() {
    let has_bars = before().is_some();
    release();
    if has_bars {
        let _ = io::stderr().write_all(b"\n");
    }
}

/// Whether standard error is the terminal of this process, and this process is in its foreground.
fn is_ours() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|group| group == getpgrp())
}

fn before() -> MutexGuard<'static, Option<Termios>> {
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
