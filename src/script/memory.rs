//! How much memory a script may take for itself.

use super::session::Session;
use crate::monitor::resident_memory_bytes;
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

/// Bytes that all values of a script may take together. What the program takes to do what the script asks
/// for is not counted.
pub(super) const MOST_BYTES: u64 = 1 << 30;
/// Operations of the engine between two looks at the clock. An operation makes a string of
/// `MAX_STRING_BYTES` at most.
const OPERATIONS: u64 = 16;
/// Time between two looks at the memory, which cost some microseconds.
const INTERVAL: Duration = Duration::from_millis(5);

/// The token by which the engine ends a script that takes too much.
#[derive(Clone, Copy, Debug)]
pub(super) struct TooMuchMemory;

/// What a script has taken so far.
pub(super) struct Allowance {
    session: Session,
    looked: Cell<Instant>,
    /// Memory when it was looked last, and the requests of the session by then, if it waited for none.
    seen: Cell<(u64, Option<u64>)>,
    taken: Cell<u64>,
}

impl Allowance {
    /// A script that has taken nothing yet.
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            seen: Cell::new((resident_memory_bytes(), None)),
            looked: Cell::new(Instant::now()),
            taken: Cell::new(0),
        }
    }

    /// Whether the script has taken more than it may, after so many operations.
    pub(super) fn is_exceeded(&self, n_operations: u64) -> bool {
        if !n_operations.is_multiple_of(OPERATIONS) || self.looked.get().elapsed() < INTERVAL {
            return false;
        }
        let memory = resident_memory_bytes();
        let session = &self.session;
        let n_requests = (!session.is_called_back()).then(|| session.n_requests());
        let (memory_before, n_requests_before) = self.seen.get();
        // Where the program did something meanwhile nobody knows whose memory it is.
        if n_requests.is_some() && n_requests == n_requests_before {
            let taken = (self.taken.get() + memory).saturating_sub(memory_before);
            self.taken.set(taken);
        }
        self.seen.set((memory, n_requests));
        self.looked.set(Instant::now());
        self.taken.get() > MOST_BYTES
    }
}
