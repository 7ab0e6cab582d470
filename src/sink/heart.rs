//! The sign of life of a run that writes an output.

use super::{
    SinkError,
    ledger::{Beat, Owner},
};
use crate::meter::Meters;
use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the owner of an output says that it lives, and how far it is.
const BEAT: Duration = Duration::from_millis(100);

/// Says that this process owns an output and how far it is, until it is dropped. Then the output is
/// nobody's.
pub(super) struct Heart {
    begun: Arc<OnceLock<(Arc<Meters>, Instant)>>,
    /// Another process has taken this one for dead.
    is_lost: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    /// Begins to beat. `folder` is named in errors.
    pub(super) fn start(mut owner: Owner, folder: &Path) -> Result<Self, SinkError> {
        let begun = Arc::<OnceLock<(Arc<Meters>, Instant)>>::default();
        let (stop, stopped) = mpsc::channel::<()>();
        let seen = begun.clone();
        let is_lost = Arc::<AtomicBool>::default();
        let lost = is_lost.clone();
        let beat = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let beat = seen.get().map_or_else(Beat::default, |(meters, since)| {
                    let counts = meters.read().counts;
                    Beat {
                        rows: counts.sequences,
                        tokens: counts.tokens,
                        seconds: since.elapsed().as_secs_f64(),
                    }
                });
                if owner.beat(&beat).is_err() {
                    lost.store(true, Ordering::Release);
                }
            }
        };
        let thread = thread::Builder::new()
            .name("owning".to_owned())
            .spawn(beat)
            .map_err(|error| SinkError::io("own", folder, error))?;
        Ok(Self {
            begun,
            is_lost,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// From now on it says what these meters show.
    pub(super) fn begin(&self, meters: Arc<Meters>) {
        // A run begins once.
        let _ = self.begun.set((meters, Instant::now()));
    }

    /// Whether another process has taken this one for dead, and the output over.
    pub(super) fn is_lost(&self) -> Arc<AtomicBool> {
        self.is_lost.clone()
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say any more.
            let _ = thread.join();
        }
    }
}
