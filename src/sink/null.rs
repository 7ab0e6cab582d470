//! The output of a run that only wants statistics.

use super::{Closing, EmbeddedBatch, Published, Rejects, Sink, SinkError};

/// Counts rows and drops them.
#[derive(Debug, Default)]
pub struct NullSink {
    n_rows: u64,
}

impl NullSink {
    /// A sink that has seen no rows.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Sink for NullSink {
    fn write(&mut self, batch: EmbeddedBatch) -> Result<(), SinkError> {
        self.n_rows += batch.rows.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>, closing: Closing, rejects: Rejects) -> Result<Published, SinkError> {
        // The entries have nowhere to go, but records must be conserved all the same.
        closing.entries(self.n_rows, rejects.n_rejected())?;
        let ((), rejects) = rejects.publish_with(|| Ok(()))?;
        Ok(Published {
            output: None,
            rejects,
        })
    }
}
