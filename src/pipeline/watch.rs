//! What the thread of the script does while a run goes on: it watches.
//!
//! It looks whether the run is to stop, and tells the script's closures what happens. It never holds a stage
//! up. A run that is told to stop has its grace: whatever has not ended then is abandoned.

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
/// If the run was told to stop and has not ended within `grace`, or a closure failed.
pub(super) fn watch(
    monitor: &Monitor,
    watcher: &mut dyn Watcher,
    cancel: &CancelToken,
    grace: Duration,
    alive: &Receiver<()>,
    n_lanes: usize,
) -> Result<(), Halt> {
    let _grace = cancel.with_grace(grace);
    let mut n_encoding = n_lanes;
    let mut patience = Duration::ZERO;
    loop {
        let told = cancel.told();
        if let Some((reason, ago)) = told {
            let Some(rest) = grace.checked_sub(ago).filter(|rest| !rest.is_zero()) else {
                return Err(Error::Stopped(reason).into());
            };
            patience = rest.min(PATIENCE);
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
        if told.is_some() {
            // Closures of a script that is told to stop would end as they begin.
            continue;
        }
        let notice = monitor.notice();
        patience = notice.as_ref().map_or(PATIENCE, |_| Duration::ZERO);
        if let Some(notice) = notice
            && let ControlFlow::Break(reason) = watcher.notice(notice)
            // One that ends because it is told to is no reason to throw away what is begun.
            && cancel.reason().is_none()
        {
            return Err(Error::StoppedByScript(reason).into());
        }
    }
}
