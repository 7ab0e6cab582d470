//! Bounded queues that count what goes through them.
//!
//! The one place that knows which channel library is used between threads. A queue knows how many
//! items went in and came out, so that the pipeline can check that none was lost.

use crate::{
    cancel::Abandonment,
    meter::{Activity, FlowMeter, StageClock},
};
use flume::{RecvTimeoutError, TryRecvError, TrySendError};
use std::time::Duration;

/// How often whoever waits looks whether the run was abandoned.
const PATIENCE: Duration = Duration::from_millis(50);

/// The entrance of a bounded queue, or one of several.
pub struct QueueSender<T> {
    channel: flume::Sender<(u64, T)>,
    meter: FlowMeter,
}

/// The exit of a bounded queue. An item leaves by one of its clones.
pub struct QueueReceiver<T> {
    channel: flume::Receiver<(u64, T)>,
    meter: FlowMeter,
}

/// Why nothing came out of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {
    /// There is nothing in it.
    Yet,
    /// There is nothing in it, and every sender is gone.
    Ever,
}

// Items need not be such that they can be cloned, which a derived clone would ask for.
impl<T> Clone for QueueSender<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            meter: self.meter.clone(),
        }
    }
}

impl<T> Clone for QueueReceiver<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            meter: self.meter.clone(),
        }
    }
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
        self.noted(item)
    }

    /// The next item, if there is one within `patience`. If it has to wait, `clock` counts as starved from then
    /// on, so that a wait in several pieces is one.
    ///
    /// # Errors
    /// If there is none yet, or there will be none.
    pub fn receive_within(&self, clock: &StageClock, patience: Duration) -> Result<T, Nothing> {
        let received = self.channel.try_recv().or_else(|error| match error {
            TryRecvError::Disconnected => Err(RecvTimeoutError::Disconnected),
            TryRecvError::Empty => {
                clock.switch(Activity::Starved);
                self.channel.recv_timeout(patience)
            }
        });
        let (weight, item) = received.map_err(|error| match error {
            RecvTimeoutError::Timeout => Nothing::Yet,
            RecvTimeoutError::Disconnected => Nothing::Ever,
        })?;
        self.meter.note_received(weight);
        Ok(item)
    }

    /// The next item, if it is there already.
    pub fn receive_now(&self) -> Option<T> {
        self.noted(self.channel.try_recv().ok())
    }

    /// As [`receive`](Self::receive), but in a run that is abandoned it waits for nothing more: what is in
    /// the queue comes, and then `None`.
    pub fn receive_unless(&self, clock: &StageClock, abandonment: &Abandonment) -> Option<T> {
        let item = match self.channel.try_recv() {
            Ok(item) => Some(item),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => clock.during(Activity::Starved, || {
                loop {
                    // Before the wait, so that what comes while somebody declares it is not overlooked.
                    let is_abandoned = abandonment.is_declared();
                    match self.channel.recv_timeout(PATIENCE) {
                        Ok(item) => break Some(item),
                        Err(RecvTimeoutError::Timeout) if !is_abandoned => {}
                        Err(_) => break None,
                    }
                }
            }),
        };
        self.noted(item)
    }

    /// The item, counted.
    fn noted(&self, item: Option<(u64, T)>) -> Option<T> {
        let (weight, item) = item?;
        self.meter.note_received(weight);
        Some(item)
    }
}
