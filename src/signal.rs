//! Ctrl-C and SIGTERM, in exactly one place.

use crate::{
    cancel::{CancelToken, StopReason},
    error::exit_code,
};
use std::{io, process, thread};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

/// Turns SIGINT and SIGTERM into a request to stop for the rest of the process's life. `on_first`
/// is called with the first one. A SIGINT after that ends the process at once.
///
/// # Errors
/// The signals cannot be listened to.
pub fn watch(
    cancel: CancelToken,
    on_first: impl Fn(StopReason) + Send + 'static,
) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    // Listening begins here and not in the thread, so that no signal is missed once this returns.
    let guard = runtime.enter();
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    drop(guard);
    let listen = async move {
        loop {
            let reason = tokio::select! {
                _ = interrupts.recv() => StopReason::Interrupted,
                _ = terminations.recv() => StopReason::Terminated,
            };
            if cancel.reason().is_none() {
                cancel.cancel(reason);
                on_first(reason);
            } else if reason == StopReason::Interrupted {
                // The user does not want to wait. The kernel ends the readers with this process.
                #[expect(clippy::exit, reason = "a second Ctrl-C means now")]
                process::exit(exit_code::INTERRUPTED.into());
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))?;
    Ok(())
}
