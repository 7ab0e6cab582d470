//! The sign of life of a run that writes an output.

use super::{
    SinkError,
    ledger::{Beat, Owner},
};
use crate::meter::Meters;
use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often the owner of an output says that it lives, though nothing happens.
const BEAT: Duration = Duration::from_millis(100);
/// How long ago the last word must be for another one. It takes a few microseconds, which is a small share of
/// this however fast batches come back; and what comes back in it is lost in silence if a kill is next.
const BETWEEN_WORDS: Duration = Duration::from_micros(50);

/// Says that this process owns an output and how far it is, until it is dropped. Then the output is
/// nobody's.
pub(super) struct Heart {
    life: Arc<Life>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Says how far the work on an output is, for those who come after a process that is killed.
#[derive(Clone, Default)]
pub struct Pulse(Weak<Life>);

struct Life {
    owner: Mutex<Owner>,
    begun: OnceLock<(Arc<Meters>, Instant)>,
    /// Another process has taken this one for dead.
    is_lost: Arc<AtomicBool>,
}

impl Heart {
    /// Begins to beat. `folder` is named in errors.
    pub(super) fn start(owner: Owner, folder: &Path) -> Result<Self, SinkError> {
        let life = Arc::new(Life {
            owner: Mutex::new(owner),
            begun: OnceLock::new(),
            is_lost: Arc::default(),
        });
        let (stop, stopped) = mpsc::channel::<()>();
        let living = life.clone();
        let beat = move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                living.beat(&mut living.owner());
            }
        };
        let thread = thread::Builder::new()
            .name("owning".to_owned())
            .spawn(beat)
            .map_err(|error| SinkError::io("own", folder, error))?;
        Ok(Self {
            life,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The next entry of the ledger, which has so many stretches, says what the process before said last.
    pub(super) fn announce(&self, n_stretches: usize) {
        self.life.owner().announce(n_stretches);
    }

    /// From now on it says what these meters show. What the process before had said must be in the ledger.
    pub(super) fn begin(&self, meters: Arc<Meters>) {
        // A run begins once.
        let _ = self.life.begun.set((meters, Instant::now()));
        let mut owner = self.life.owner();
        owner.begin();
        self.life.beat(&mut owner);
    }

    /// What says how far the work is.
    pub(super) fn pulse(&self) -> Pulse {
        Pulse(Arc::downgrade(&self.life))
    }

    /// Whether another process has taken this one for dead, and the output over.
    pub(super) fn is_lost(&self) -> Arc<AtomicBool> {
        self.life.is_lost.clone()
    }
}

impl Pulse {
    /// Says how far the work is, unless that was said a moment ago. To be called whenever something has been
    /// computed.
    pub fn beat(&self) {
        let Some(life) = self.0.upgrade() else {
            return;
        };
        let mut owner = life.owner();
        if owner.silent() >= BETWEEN_WORDS {
            owner.note(&life.reading());
        }
    }
}

impl Life {
    fn owner(&self) -> MutexGuard<'_, Owner> {
        self.owner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the work is.
    fn reading(&self) -> Beat {
        self.begun
            .get()
            .map_or_else(Beat::default, |(meters, since)| {
                let counts = meters.read().counts;
                Beat {
                    rows: counts.sequences,
                    tokens: counts.tokens,
                    seconds: since.elapsed().as_secs_f64(),
                }
            })
    }

    fn beat(&self, owner: &mut Owner) {
        if owner.beat(&self.reading()).is_err() {
            self.is_lost.store(true, Ordering::Release);
        }
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
