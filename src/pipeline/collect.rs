//! The collecting stage: embeddings come back from the device.

use super::{
    Halt,
    encode::{State, Submitted},
};
use crate::{
    device::{GpuTiming, Timeline},
    error::Error,
    event::{Event, EventSender},
    model::ModelError,
    queue::{QueueReceiver, QueueSender},
    sink::EmbeddedBatch,
};

/// What the collecting stage counted. Times are in seconds, as the device measured them.
#[derive(Debug, Default)]
pub(super) struct CollectTotals {
    /// Sequences embedded.
    pub(super) sequences: u64,
    /// Tokens embedded, BOS and EOS included.
    pub(super) tokens: u64,
    /// Batches.
    pub(super) batches: u64,
    /// How long the device computed.
    pub(super) compute: f64,
    /// What a GPU measured beside that, over all batches.
    pub(super) gpu: Option<GpuTiming>,
}

/// The collecting stage.
pub(super) struct Collecting {
    pub(super) in_flight: QueueReceiver<Submitted>,
    pub(super) rows: QueueSender<EmbeddedBatch>,
    pub(super) events: EventSender,
}

impl Collecting {
    /// Waits for batches until there are no more.
    ///
    /// # Errors
    /// If the device failed, or an embedding is not finite.
    pub(super) fn run(self) -> Result<CollectTotals, Halt> {
        let mut totals = CollectTotals::default();
        let mut timeline = Timeline::default();
        while let (Some(submitted), _) = self.in_flight.receive() {
            let encoded = match submitted.state {
                State::Computing(batch) => batch.wait().map_err(Error::from)?,
                State::Done(encoded) => encoded,
            };
            let timing = timeline.add(encoded.marks);
            let timing = timing.map_err(|error| Error::from(ModelError::from(error)))?;

            let (sequences, tokens) = (encoded.rows.len() as u64, encoded.n_tokens as u64);
            totals.sequences += sequences;
            totals.tokens += tokens;
            totals.batches += 1;
            totals.compute += timing.compute;
            if let Some(gpu) = timing.gpu {
                *totals.gpu.get_or_insert_default() += gpu;
            }
            self.events.send(Event::BatchEncoded {
                sequences,
                tokens,
                seconds: timing.compute,
                waited_seconds: submitted.waited.as_secs_f64(),
            });
            let rows = EmbeddedBatch {
                rows: encoded.rows,
                embeddings: encoded.embeddings,
            };
            // The writer is gone if it failed; its own error says why.
            self.rows
                .send(sequences, rows)
                .map_err(|_| Halt::Abandoned)?;
        }
        Ok(totals)
    }
}
