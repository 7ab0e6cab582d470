//! The rows of a row group, collected until it is complete.

use arrow_array::RecordBatch;

/// Bytes of vectors of sequences, and bytes of texts and of vectors of residues, in a row group, about: it ends with the rows that reach one of
/// them. A row group is in memory until it is encoded, and readers load one at a time.
pub(super) const ROW_GROUP_BYTES: usize = 32 << 20;

/// Collects rows until they are a row group.
pub(super) struct RowGroup {
    /// Bytes of a row without what differs from row to row.
    bytes_per_row: usize,
    batches: Vec<RecordBatch>,
    n_rows: usize,
    /// Bytes of what differs from row to row.
    n_ragged_bytes: usize,
}

impl RowGroup {
    /// No rows yet, of which one has so many bytes without what differs from row to row, about.
    pub(super) fn new(bytes_per_row: usize) -> Self {
        Self {
            bytes_per_row: bytes_per_row.max(1),
            batches: Vec::new(),
            n_rows: 0,
            n_ragged_bytes: 0,
        }
    }

    /// Takes rows from the beginning of `batch`, which has so many bytes of texts and of vectors of residues, as
    /// far as there is room, and returns the rest.
    pub(super) fn take(
        &mut self,
        batch: RecordBatch,
        n_ragged_bytes: usize,
    ) -> Option<RecordBatch> {
        let n_taken = batch.num_rows().min(self.most_rows() - self.n_rows);
        let n_left = batch.num_rows() - n_taken;
        // They are not counted row by row: what is left is a small part of a row group.
        self.n_ragged_bytes += n_ragged_bytes;
        self.n_rows += n_taken;
        let rest = (n_left > 0).then(|| batch.slice(n_taken, n_left));
        self.batches.push(batch.slice(0, n_taken));
        rest
    }

    /// Whether there is no room.
    pub(super) fn is_complete(&self) -> bool {
        self.n_rows >= self.most_rows() || self.n_ragged_bytes >= ROW_GROUP_BYTES
    }

    fn most_rows(&self) -> usize {
        (ROW_GROUP_BYTES / self.bytes_per_row).max(1)
    }

    /// Bytes so far, about.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_rows * self.bytes_per_row + self.n_ragged_bytes
    }

    /// Rows so far.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The rows so far. Those that come next are another row group.
    pub(super) fn end(&mut self) -> Vec<RecordBatch> {
        self.n_rows = 0;
        self.n_ragged_bytes = 0;
        std::mem::take(&mut self.batches)
    }
}
