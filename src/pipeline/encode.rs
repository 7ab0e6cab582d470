//! The encoding stage: batches are given to the model.

use super::Halt;
use crate::{
    batch::PackedBatch,
    cancel::CancelToken,
    error::Error,
    job::Pooling,
    model::{Encoded, InFlight, Model, ModelError, StagedBatch, Stager},
    queue::{QueueReceiver, QueueSender},
};
use std::{sync::Arc, time::Duration};

/// A batch as the packing stage hands it on.
pub(super) enum Feed {
    /// On its way to the device.
    Staged(StagedBatch),
    /// Still to be brought there, in a run without overlap.
    Packed(PackedBatch, Arc<Stager>),
}

/// A batch that was given to the model.
pub(super) struct Submitted {
    pub(super) state: State,
    /// How long the stage had waited for it.
    pub(super) waited: Duration,
}

/// How far a batch is.
pub(super) enum State {
    /// Being computed.
    Computing(InFlight),
    /// Embedded, in a run without overlap.
    Done(Encoded),
}

/// The encoding stage. It runs on the thread of the script, as the model lives there. On a GPU it
/// only enqueues work, so that the GPU finds the next batch when it is done with one.
pub(super) struct Encoding<'a> {
    pub(super) model: &'a Model,
    /// Indices of hidden states, in output order.
    pub(super) layers: &'a [usize],
    pub(super) pooling: Pooling,
    pub(super) batches: QueueReceiver<Feed>,
    pub(super) in_flight: QueueSender<Submitted>,
    pub(super) cancel: CancelToken,
}

impl Encoding<'_> {
    /// Gives batches to the model until there are no more, and returns how long it waited for them.
    ///
    /// # Errors
    /// If the model fails or the run is told to stop.
    pub(super) fn run(self) -> Result<Duration, Halt> {
        let mut all_waited = Duration::ZERO;
        loop {
            let (feed, waited) = self.batches.receive();
            all_waited += waited;
            if let Some(reason) = self.cancel.reason() {
                return Err(Error::Stopped(reason).into());
            }
            let Some(feed) = feed else {
                return Ok(all_waited);
            };
            let (sequences, state) = self.submit(feed).map_err(Error::from)?;
            // The next stage is gone if it failed; its own error says why.
            self.in_flight
                .send(sequences, Submitted { state, waited })
                .map_err(|_| Halt::Abandoned)?;
        }
    }

    fn submit(&self, feed: Feed) -> Result<(u64, State), ModelError> {
        let submit = |batch: StagedBatch| {
            let sequences = batch.n_sequences() as u64;
            let batch = self.model.submit(batch, self.layers, self.pooling)?;
            Ok::<_, ModelError>((sequences, batch))
        };
        match feed {
            Feed::Staged(batch) => {
                let (sequences, batch) = submit(batch)?;
                Ok((sequences, State::Computing(batch)))
            }
            Feed::Packed(batch, stager) => {
                let (sequences, batch) = submit(stager.stage(batch)?)?;
                Ok((sequences, State::Done(batch.wait()?)))
            }
        }
    }
}
