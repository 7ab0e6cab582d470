//! The signals that end the program, in exactly one place.

use crate::{
    cancel::{CancelToken, StopReason},
    device,
    error::exit_code,
    file,
};
use nix::sys::signal::Signal;
use procfs::process::Process;
use std::{
    io::{self, IsTerminal},
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

/// How long the program cleans up when it is to end at once. A file system may not answer.
const TIME_TO_CLEAN_UP: Duration = Duration::from_secs(2);

/// Turns SIGINT, SIGTERM and SIGHUP into a request to stop for the rest of the process's life.
/// `on_first` is called with the first one, and `at_once` where it is to end at once. A second Ctrl-C ends the process at once, without its temporary
/// files; other signals may come as often as a scheduler likes to send them. A file that grows beyond the limit
/// is an error of writing, not a signal.
///
/// # Errors
/// The signals cannot be listened to.
pub fn watch(
    cancel: CancelToken,
    on_first: impl FnOnce(StopReason) + Send + 'static,
    at_once: fn(),
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    // Listening begins here and not in the thread, so that no signal is missed once this returns.
    let guard = runtime.enter();
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    // Under `nohup` a run goes on when its terminal is gone.
    let mut hangups = if is_ignored(Signal::SIGHUP) {
        None
    } else {
        Some(signal(SignalKind::hangup())?)
    };
    // What is caught does not end the process, and the write fails.
    let _ = signal(SignalKind::from_raw(Signal::SIGXFSZ as i32))?;
    drop(guard);
    // Asked once, as a terminal that is gone is none any more.
    let is_seen = io::stderr().is_terminal();
    let mut on_first = Some(on_first);
    let listen = async move {
        loop {
            let hangup = async {
                match &mut hangups {
                    Some(hangups) => hangups.recv().await,
                    None => std::future::pending().await,
                }
            };
            let reason = tokio::select! {
                _ = interrupts.recv() => interrupted(is_seen),
                _ = terminations.recv() => StopReason::Terminated,
                _ = hangup => StopReason::HungUp,
            };
            match cancel.reason() {
                None => {
                    cancel.cancel(reason);
                    if let Some(on_first) = on_first.take() {
                        // On a thread of its own: it may write to a terminal that stands still, and the next
                        // signal must be heard. Without one nobody is told, and the run stops all the same.
                        let _ = thread::Builder::new().spawn(move || on_first(reason));
                    }
                }
                Some(first) if is_impatient(first, reason) => {
                    end_at_once(exit_code::INTERRUPTED, at_once)
                }
                Some(_) => {}
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))?;
    Ok(())
}

/// What a SIGINT is: Ctrl-C of somebody who looks on, or not.
fn interrupted(is_seen: bool) -> StopReason {
    if is_seen {
        StopReason::Interrupted
    } else {
        StopReason::InterruptedUnseen
    }
}

/// Whether `next` means that what `first` asked for takes too long. A scheduler may send several kinds of
/// signals; without a terminal only what began with SIGINT can be a user's.
fn is_impatient(first: StopReason, next: StopReason) -> bool {
    match next {
        StopReason::Interrupted => true,
        StopReason::InterruptedUnseen => first == StopReason::InterruptedUnseen,
        StopReason::Terminated | StopReason::HungUp => false,
    }
}

/// Ends the process at once, without its temporary files: the user does not want to wait. The kernel ends the readers with this process.
fn end_at_once(exit_code: u8, last: fn()) -> ! {
    let (done, is_done) = mpsc::channel();
    let cleaning = thread::Builder::new().spawn(move || {
        file::remove_temporary();
        last();
        // Nobody waits any more if it took too long.
        let _ = done.send(());
    });
    if cleaning.is_ok() {
        // Cleaned up or not, this is the end.
        let _ = is_done.recv_timeout(TIME_TO_CLEAN_UP);
    }
    device::end_at_once(exit_code)
}

/// Whether whoever started this process wants it to ignore a signal, as `nohup` does.
fn is_ignored(signal: Signal) -> bool {
    let status = Process::myself().and_then(|process| process.status());
    status.is_ok_and(|status| has(status.sigign, signal))
}

/// Whether a mask has a signal, the first of which is number 1.
fn has(mask: u64, signal: Signal) -> bool {
    mask >> (signal as i32 - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_user_is_impatient() {
        use StopReason::{HungUp, Interrupted, InterruptedUnseen, Terminated};
        let check = |first, impatient: &[StopReason]| {
            for next in [Interrupted, InterruptedUnseen, Terminated, HungUp] {
                let expect = impatient.contains(&next);
                assert_eq!(is_impatient(first, next), expect, "{first:?}, {next:?}");
            }
        };
        check(Interrupted, &[Interrupted]);
        check(InterruptedUnseen, &[Interrupted, InterruptedUnseen]);
        check(Terminated, &[Interrupted]);
        check(HungUp, &[Interrupted]);
    }

    #[test]
    fn the_mask_of_ignored_signals_is_understood() {
        let check = |signal, expect| assert_eq!(has(0x1001, signal), expect);
        check(Signal::SIGHUP, true);
        check(Signal::SIGPIPE, true);
        check(Signal::SIGINT, false);
    }
}
