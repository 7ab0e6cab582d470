//! The writing stage: embeddings leave in input order.

use super::{join::Joiner, stage::Halt};
use crate::{
    batch::Rows,
    cancel::Abandonment,
    error::Error,
    event::{Event, EventSender},
    meter::{Activity, Meters},
    queue::QueueReceiver,
    sink::{Output, ReorderBuffer},
};
use std::{sync::Arc, thread, time::Duration};

/// The writing stage.
pub(super) struct Writing<'a> {
    pub(super) rows: QueueReceiver<Rows>,
    pub(super) order: ReorderBuffer,
    pub(super) join: Joiner<'a>,
    pub(super) output: Output,
    pub(super) meters: Arc<Meters>,
    /// Beside its work, for each batch.
    pub(super) delay: Duration,
    pub(super) events: EventSender,
    pub(super) abandonment: Abandonment,
}

/// What the writing stage leaves to be committed and published.
pub(super) struct Written<'a> {
    pub(super) order: ReorderBuffer,
    pub(super) join: Joiner<'a>,
    pub(super) output: Output,
    /// Rows that the output took.
    pub(super) rows: u64,
}

impl<'a> Writing<'a> {
    /// Writes rows until there are no more, or the run is abandoned: then it writes those that have come, and
    /// waits neither for a lane nor for a reader.
    ///
    /// # Errors
    /// If the output cannot be written, or a row comes twice.
    pub(super) fn run(mut self) -> Result<Written<'a>, Halt> {
        let clock = self.meters.writing();
        clock.switch(Activity::Working);
        let mut written = 0;
        while let Some(batch) = self.rows.receive_unless(clock, &self.abandonment) {
            take(&mut self.order, batch, self.delay)?;
            while let Some(ready) = self.order.next_ready() {
                let ready = self.join.take(ready)?;
                if ready.is_empty() {
                    continue;
                }
                let rows = ready.len() as u64;
                self.output.write(ready).map_err(Error::from)?;
                written += rows;
                self.events.send(Event::RowsWritten { rows });
                while self.order.has_room()
                    && let Some(batch) = self.rows.receive_now()
                {
                    take(&mut self.order, batch, self.delay)?;
                }
            }
        }
        clock.stop();
        Ok(Written {
            order: self.order,
            join: self.join,
            output: self.output,
            rows: written,
        })
    }
}

/// Takes a batch for its place in the order.
fn take(order: &mut ReorderBuffer, batch: Rows, delay: Duration) -> Result<(), Halt> {
    thread::sleep(delay);
    order.push(batch).map_err(Error::from)?;
    Ok(())
}
