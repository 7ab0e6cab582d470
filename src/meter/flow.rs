//! What goes through a queue.

use std::{
    ops::AddAssign,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// How much went into a queue and came out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Items sent, weighed by the sender.
    pub sent: u64,
    /// Items received, weighed the same way.
    pub received: u64,
}

impl AddAssign for Flow {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
    }
}

/// Counts what goes through a queue. Clones are the same meter, so that others can read it when both
/// ends of the queue have gone to their threads.
#[derive(Clone, Debug, Default)]
pub struct FlowMeter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    /// Items rather than what they weigh.
    n_sent: AtomicU64,
    n_received: AtomicU64,
}

impl FlowMeter {
    /// An item of this weight went in.
    pub fn note_sent(&self, weight: u64) {
        self.0.sent.fetch_add(weight, Ordering::Relaxed);
        self.0.n_sent.fetch_add(1, Ordering::Relaxed);
    }

    /// An item of this weight came out.
    pub fn note_received(&self, weight: u64) {
        self.0.received.fetch_add(weight, Ordering::Relaxed);
        self.0.n_received.fetch_add(1, Ordering::Relaxed);
    }

    /// What has gone through the queue so far.
    pub fn flow(&self) -> Flow {
        Flow {
            sent: self.0.sent.load(Ordering::Relaxed),
            received: self.0.received.load(Ordering::Relaxed),
        }
    }

    /// Items that wait in the queue.
    pub fn depth(&self) -> u64 {
        let sent = self.0.n_sent.load(Ordering::Relaxed);
        // An item may be received before its sender has counted it.
        sent.saturating_sub(self.0.n_received.load(Ordering::Relaxed))
    }
}
