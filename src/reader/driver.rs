//! The thread that all readers live on.

use super::slot::Slot;
use std::{io, thread};
use tokio::{runtime, task::JoinSet};

/// The thread that all readers live on, with the event loop that looks after them.
///
/// It must live as long as they do: the system kills a reader when the *thread* that started it
/// ends.
pub(super) struct Driver {
    slots: Option<flume::Sender<Slot>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (sender, slots) = flume::unbounded::<Slot>();
        let thread = thread::Builder::new()
            .name("readers".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    let mut tasks = JoinSet::new();
                    while let Ok(slot) = slots.recv_async().await {
                        tasks.spawn(slot.run());
                    }
                    // Every reader is killed and waited for, so that none outlives the pool.
                    while tasks.join_next().await.is_some() {}
                });
            })?;
        Ok(Self {
            slots: Some(sender),
            thread: Some(thread),
        })
    }

    /// Looks after one more slot, until the sender of its shifts is dropped.
    pub(super) fn add(&self, slot: Slot) {
        if let Some(slots) = &self.slots {
            // If the thread is gone, the slot's queues close, which its users notice.
            let _ = slots.send(slot);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.slots = None;
        if let Some(thread) = self.thread.take() {
            // A panic has shown itself already, by queues that closed too early.
            let _ = thread.join();
        }
    }
}
