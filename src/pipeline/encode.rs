//! The encoding stage: batches become embeddings.

use super::Halt;
use crate::{
    batch::PackedBatch,
    cancel::CancelToken,
    error::Error,
    event::{Event, EventSender},
    job::Pooling,
    model::Model,
    queue::{QueueReceiver, QueueSender},
    sink::EmbeddedBatch,
};
use std::time::{Duration, Instant};

/// What the encoding stage counted.
#[derive(Debug, Default)]
pub(super) struct EncodeTotals {
    /// Sequences embedded.
    pub(super) sequences: u64,
    /// Tokens embedded, BOS and EOS included.
    pub(super) tokens: u64,
    /// Batches.
    pub(super) batches: u64,
    /// How long the model computed.
    pub(super) busy: Duration,
    /// How long the stage waited for a batch.
    pub(super) waited: Duration,
}

/// The encoding stage. It runs on the thread of the script, as the model lives there.
pub(super) struct Encoding<'a> {
    pub(super) model: &'a Model,
    /// Indices of hidden states, in output order.
    pub(super) layers: &'a [usize],
    pub(super) pooling: Pooling,
    pub(super) batches: QueueReceiver<PackedBatch>,
    pub(super) rows: QueueSender<EmbeddedBatch>,
    pub(super) events: EventSender,
    pub(super) cancel: CancelToken,
}

impl Encoding<'_> {
    /// Embeds batches until there are no more.
    ///
    /// # Errors
    /// If the model fails or the run is told to stop.
    pub(super) fn run(self) -> Result<EncodeTotals, Halt> {
        let mut totals = EncodeTotals::default();
        loop {
            let (batch, waited) = self.batches.receive();
            totals.waited += waited;
            if let Some(reason) = self.cancel.reason() {
                return Err(Error::Stopped(reason).into());
            }
            let Some(batch) = batch else {
                return Ok(totals);
            };
            let start = Instant::now();
            let values = self
                .model
                .encode(&batch, self.layers, self.pooling)
                .map_err(Error::from)?;
            let busy = start.elapsed();

            let (sequences, tokens) = (batch.n_sequences() as u64, batch.n_tokens() as u64);
            totals.busy += busy;
            totals.sequences += sequences;
            totals.tokens += tokens;
            totals.batches += 1;
            self.events.send(Event::BatchEncoded {
                sequences,
                tokens,
                seconds: busy.as_secs_f64(),
                waited_seconds: waited.as_secs_f64(),
            });
            let rows = EmbeddedBatch {
                rows: batch.rows,
                embeddings: values,
            };
            // The writer is gone if it failed; its own error says why.
            self.rows
                .send(sequences, rows)
                .map_err(|_| Halt::Abandoned)?;
        }
    }
}
