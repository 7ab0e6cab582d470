//! Hands batches to the lanes.

use super::{lane::NumberedBatch, stage::Halt};
use crate::{batch::PackedBatch, meter::Meters, queue::QueueSender};
use std::{sync::Arc, thread, time::Duration};

/// Hands batches to the lanes.
pub(super) struct Feeder {
    pub(super) batches: QueueSender<NumberedBatch>,
    /// Batches so far.
    pub(super) n_batches: u64,
    pub(super) meters: Arc<Meters>,
    /// Beside the work, for each batch.
    pub(super) delay: Duration,
}

impl Feeder {
    /// Hands over a batch, and waits for room.
    pub(super) fn send(&mut self, batch: PackedBatch) -> Result<(), Halt> {
        thread::sleep(self.delay);
        let sequences = batch.n_records() as u64;
        let number = self.n_batches;
        self.n_batches += 1;
        // The lanes are gone if they failed; their own errors say why.
        self.batches
            .send(
                self.meters.packing(),
                sequences,
                NumberedBatch { number, batch },
            )
            .map_err(|_| Halt::Abandoned)
    }
}
