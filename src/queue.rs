//! Bounded queues that count what goes through them.
//!
//! The one place that knows which channel library is used between threads. A queue knows how many
//! items went in and came out, so that the pipeline can check that none was lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many items went into a queue and came out of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Items sent, weighed by the sender.
    pub sent: u64,
    /// Items received, weighed the same way.
    pub received: u64,
}

#[derive(Debug, Default)]
struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
}

/// The entrance of a bounded queue.
pub struct QueueSender<T> {
    channel: flume::Sender<(u64, T)>,
    counters: Arc<Counters>,
}

/// The exit of a bounded queue.
pub struct QueueReceiver<T> {
    channel: flume::Receiver<(u64, T)>,
    counters: Arc<Counters>,
}

/// Reads a queue's counters after both of its ends have gone to their threads.
#[derive(Clone, Debug)]
pub struct FlowMeter(Arc<Counters>);

/// A queue for at most `capacity` items. Its sender waits while it is full.
pub fn bounded<T>(capacity: usize) -> (QueueSender<T>, QueueReceiver<T>, FlowMeter) {
    let (sender, receiver) = flume::bounded(capacity);
    let counters = Arc::new(Counters::default());
    (
        QueueSender {
            channel: sender,
            counters: counters.clone(),
        },
        QueueReceiver {
            channel: receiver,
            counters: counters.clone(),
        },
        FlowMeter(counters),
    )
}

impl<T> QueueSender<T> {
    /// Sends `item`, which stands for `weight` records; waits while the queue is full.
    ///
    /// # Errors
    /// Gives the item back if the receiver is gone.
    pub fn send(&self, weight: u64, item: T) -> Result<(), T> {
        self.channel
            .send((weight, item))
            .map_err(|flume::SendError((_, item))| item)?;
        self.counters.sent.fetch_add(weight, Ordering::Relaxed);
        Ok(())
    }

    /// Items waiting in the queue.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether nothing waits in the queue.
    pub fn is_empty(&self) -> bool {
        self.channel.is_empty()
    }
}

impl<T> QueueReceiver<T> {
    /// The next item and how long it took to come, or `None` once every sender is gone and the
    /// queue is empty.
    pub fn receive(&self) -> (Option<T>, Duration) {
        let start = Instant::now();
        let item = self.channel.recv().ok().map(|(weight, item)| {
            self.counters.received.fetch_add(weight, Ordering::Relaxed);
            item
        });
        (item, start.elapsed())
    }
}

impl FlowMeter {
    /// What has gone through the queue so far.
    pub fn flow(&self) -> Flow {
        Flow {
            sent: self.0.sent.load(Ordering::Relaxed),
            received: self.0.received.load(Ordering::Relaxed),
        }
    }
}
