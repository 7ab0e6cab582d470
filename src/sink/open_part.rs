//! The part that is being written.

use super::{
    Ended, Frontier, HashedFile, OutputPlan, PartWriter, Shorten, SinkError, Spare, books::sync,
    format::part_writer, place::Place, tail::Tail, writeback::Writeback,
};
use crate::{
    batch::Rows,
    file::{Existing, Staged},
};
use arrow_array::RecordBatch;

/// A part that takes rows.
pub(super) struct OpenPart {
    writer: Box<dyn PartWriter>,
    staged: Staged,
    tail: Tail,
    writeback: Writeback,
}

/// A part that takes no more rows.
pub(super) struct WrittenPart {
    /// Its file, under a temporary name.
    pub(super) staged: Staged,
    /// The way to end it earlier, and where.
    pub(super) shorter: Box<dyn Shorten>,
    pub(super) tail: Tail,
    writeback: Writeback,
}

impl WrittenPart {
    /// Has all that was written on the disk.
    ///
    /// # Errors
    /// If the file system refuses. Nobody knows what the file holds then.
    pub(super) fn settle(&mut self) -> Result<(), SinkError> {
        let settled = self.writeback.finish();
        settled.map_err(|error| SinkError::io("write", self.staged.target(), error))?;
        sync(&self.staged)
    }
}

impl OpenPart {
    /// Begins a part here, with what is known of it from the start. `spare` is told of the memory that rows lie in.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn begin(
        plan: &OutputPlan,
        place: &Place,
        metadata: &[(String, String)],
        from: &Frontier,
        spare: &Spare,
    ) -> Result<Self, SinkError> {
        let path = place.parts().join(place.part_name(from.record));
        let staged = Staged::create_like(place.output(), &path, Existing::IsReplaced)?;
        let file = HashedFile::new(staged.writer()?);
        let writeback = Writeback::start(staged.writer()?);
        Ok(Self {
            writer: part_writer(plan, file, metadata, spare)?,
            staged,
            tail: Tail::new(from),
            writeback: writeback.map_err(|error| SinkError::io("write", &path, error))?,
        })
    }

    /// Takes the next rows, and gives them back as columns. Where the file system refuses, the part
    /// [has failed](Self::has_failed).
    ///
    /// # Errors
    /// If they do not fit into the format.
    pub(super) fn write(&mut self, rows: Rows) -> Result<Vec<RecordBatch>, SinkError> {
        let rows = self.writer.write(rows)?;
        for rows in &rows {
            self.tail.hold(rows.clone());
        }
        Ok(rows)
    }

    /// As [`write`](Self::write), for rows that are held elsewhere.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn write_again(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        self.writer.write_again(rows)
    }

    /// The rows have come to this frontier.
    pub(super) fn reach(&mut self, frontier: &Frontier) {
        self.tail.reach(frontier);
        self.tail.settle(self.writer.n_rows_in_file());
        self.writeback.reach(self.writer.n_bytes());
    }

    /// How many bytes it has so far, about.
    pub(super) fn n_bytes(&self) -> u64 {
        self.writer.n_bytes()
    }

    /// Whether the file system has refused something, so that the part can only be ended.
    pub(super) fn has_failed(&self) -> bool {
        self.writer.has_failed()
    }

    /// Completes it with what is known at its end. Gives what is in its file, or why it is not complete.
    ///
    /// # Errors
    /// If rows do not fit into the format.
    pub(super) fn end(
        self,
        metadata: &[(String, String)],
    ) -> Result<(WrittenPart, Result<HashedFile, SinkError>), SinkError> {
        let Ended { file, shorter } = self.writer.finish(metadata)?;
        let part = WrittenPart {
            staged: self.staged,
            shorter,
            tail: self.tail,
            writeback: self.writeback,
        };
        Ok((part, file))
    }
}
