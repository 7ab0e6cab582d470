//! Bounded queues that count what goes through them.
//!
//! The one place that knows which channel library is used between threads. A queue knows how many
//! items went in and came out, so that the pipeline can check that none was lost.

use crate::meter::{Activity, FlowMeter, StageClock};
use flume::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use std::time::Duration;

/// What came of waiting for an item.
pub enum Received<T> {
    /// The next item.
    Item(T),
    /// Nothing so far.
    Nothing,
    /// Every sender is gone and the queue is empty.
    End,
}

/// What came of waiting for room.
pub enum Sent<T> {
    /// The item is in the queue.
    Done,
    /// There is no room so far.
    Full(T),
    /// The receiver is gone.
    Abandoned,
}

/// The entrance of a bounded queue.
pub struct QueueSender<T> {
    channel: flume::Sender<(u64, T)>,
    meter: FlowMeter,
}

/// The exit of a bounded queue.
pub struct QueueReceiver<T> {
    channel: flume::Receiver<(u64, T)>,
    meter: FlowMeter,
}

/// A queue for at most `capacity` items. Its sender waits while it is full.
pub fn bounded<T>(capacity: usize) -> (QueueSender<T>, QueueReceiver<T>, FlowMeter) {
    let (sender, receiver) = flume::bounded(capacity);
    let meter = FlowMeter::default();
    (
        QueueSender {
            channel: sender,
            meter: meter.clone(),
        },
        QueueReceiver {
            channel: receiver,
            meter: meter.clone(),
        },
        meter,
    )
}

impl<T> QueueSender<T> {
    /// Sends `item`, which stands for `weight` records. While the queue is full it waits, and
    /// `clock` counts as blocked.
    ///
    /// # Errors
    /// Gives the item back if the receiver is gone.
    pub fn send(&self, clock: &StageClock, weight: u64, item: T) -> Result<(), T> {
        let result = match self.channel.try_send((weight, item)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Disconnected((_, item))) => Err(item),
            Err(TrySendError::Full(item)) => clock.during(Activity::Blocked, || {
                let sent = self.channel.send(item);
                sent.map_err(|flume::SendError((_, item))| item)
            }),
        };
        result?;
        self.meter.note_sent(weight);
        Ok(())
    }

    /// As [`send`](Self::send), but waits no longer than `patience`. The caller's clock goes on.
    pub fn send_within(&self, patience: Duration, weight: u64, item: T) -> Sent<T> {
        match self.channel.send_timeout((weight, item), patience) {
            Ok(()) => {
                self.meter.note_sent(weight);
                Sent::Done
            }
            Err(SendTimeoutError::Timeout((_, item))) => Sent::Full(item),
            Err(SendTimeoutError::Disconnected(_)) => Sent::Abandoned,
        }
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
    /// The next item, or `None` once every sender is gone and the queue is empty. While it waits,
    /// `clock` counts as starved.
    pub fn receive(&self, clock: &StageClock) -> Option<T> {
        let item = match self.channel.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => {
                clock.during(Activity::Starved, || self.channel.recv().ok())
            }
        };
        item.map(|(weight, item)| {
            self.meter.note_received(weight);
            item
        })
    }

    /// As [`receive`](Self::receive), but waits no longer than `patience`. The caller's clock goes
    /// on.
    pub fn receive_within(&self, patience: Duration) -> Received<T> {
        match self.channel.recv_timeout(patience) {
            Ok((weight, item)) => {
                self.meter.note_received(weight);
                Received::Item(item)
            }
            Err(RecvTimeoutError::Timeout) => Received::Nothing,
            Err(RecvTimeoutError::Disconnected) => Received::End,
        }
    }
}
