//! What the thread of the script does while a run goes on: it watches.
//!
//! It looks whether the run is to stop, and tells the script's closures what happens. It never holds a stage up.

use super::{Watcher, stage::Halt};
use crate::{cancel::CancelToken, error::Error, monitor::Monitor};
use std::{
    ops::ControlFlow,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::Duration,
};

/// How long it waits without a look at what there is to tell.
const PATIENCE: Duration = Duration::from_millis(50);

/// Watches until every stage has ended: they hold the other ends of `alive`, and the `n_lanes` lanes send
/// word when they have no more batches.
///
/// # Errors
/// If the run is told to stop.
pub(super) fn watch(
    monitor: &Monitor,
    watcher: &mut dyn Watcher,
    cancel: &CancelToken,
    alive: &Receiver<()>,
    n_lanes: usize,
) -> Result<(), Halt> {
    let mut n_encoding = n_lanes;
    let mut patience = Duration::ZERO;
    loop {
        if let Some(reason) = cancel.reason() {
            return Err(Error::Stopped(reason).into());
        }
        // Ends come before notices: whoever takes longer over a notice than the next one needs to come must
        // not keep the run from its end, and hears nothing of a run that has ended.
        match alive.recv_timeout(patience) {
            Ok(()) => {
                n_encoding = n_encoding.saturating_sub(1);
                if n_encoding == 0 {
                    monitor.wind_down();
                }
                patience = Duration::ZERO;
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let notice = monitor.notice();
        patience = notice.as_ref().map_or(PATIENCE, |_| Duration::ZERO);
        if let Some(notice) = notice
            && let ControlFlow::Break(reason) = watcher.notice(notice)
        {
            return Err(Error::StoppedByScript(reason).into());
        }
    }
}
