//! The output of a run that only wants statistics.

use super::{Closing, Published, Rejects, Sink, SinkError};
use crate::batch::Rows;

/// Counts rows and drops them.
#[derive(Debug, Default)]
pub(super) struct NullSink {
    n_rows: u64,
}

impl Sink for NullSink {
    fn write(&mut self, rows: Rows) -> Result<(), SinkError> {
        self.n_rows += rows.len() as u64;
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
