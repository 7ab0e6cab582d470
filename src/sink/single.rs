//! An output that is one part, written in one go.

use super::{
    Closing, HashedFile, OutputPlan, PartWriter, Published, Rejects, Sink, SinkError,
    format::part_writer,
};
use crate::{
    batch::Rows,
    file::{Existing, Keep, Staged},
};

/// Writes a file under a temporary name, and publishes it at the end.
pub(super) struct SingleSink {
    // Before `staged`, so that an abandoned file is removed after the last write to it.
    part: Box<dyn PartWriter>,
    staged: Staged,
    n_rows: u64,
}

impl SingleSink {
    /// An output without rows, under a temporary name.
    ///
    /// # Errors
    /// - If the output exists and may not be replaced, or is not a file.
    /// - If the file system refuses.
    pub(super) fn create(plan: &OutputPlan) -> Result<Self, SinkError> {
        let staged = Staged::create(&plan.target.path, Existing::unless(plan.overwrite))?;
        let file = HashedFile::new(staged.writer()?);
        Ok(Self {
            part: part_writer(plan, file, &plan.entries())?,
            staged,
            n_rows: 0,
        })
    }
}

impl Sink for SingleSink {
    fn write(&mut self, rows: Rows) -> Result<(), SinkError> {
        self.n_rows += rows.len() as u64;
        self.part.write(rows)
    }

    fn finish(self: Box<Self>, closing: Closing, rejects: Rejects) -> Result<Published, SinkError> {
        let entries = closing.entries(self.n_rows, rejects.n_rejected())?;
        let entries = entries.into_iter();
        let entries: Vec<_> = entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let Self { part, staged, .. } = *self;
        part.finish(&entries)?;
        let (output, rejects) = rejects.publish_with(|| Ok(staged.publish(Keep::Safely)?))?;
        Ok(Published {
            output: Some(output),
            rejects,
        })
    }
}
