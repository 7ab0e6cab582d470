//! The threads that encode row groups, so that the writing stage need not wait for them.

use ::parquet::{
    arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves},
    errors::ParquetError,
};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use std::{
    io,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

/// Cores for each thread that encodes: readers and lanes need the others. One thread takes 150,000 rows of 320
/// numbers a second, of which the fastest model makes 30,000 on a GPU.
const CORES_PER_ENCODER: usize = 8;
/// Each holds a row group in memory.
const MOST_ENCODERS: usize = 8;

/// A row group to be encoded: its rows, and what takes each of its columns.
pub(super) struct RawGroup {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) columns: Vec<ArrowColumnWriter>,
}

/// A row group that is encoded.
type Encoded = Result<Vec<ArrowColumnChunk>, ParquetError>;

/// Threads that encode row groups. They take turns, so that groups come back in their order.
pub(super) struct Encoders {
    encoders: Vec<Encoder>,
    /// Row groups that were handed over.
    n_begun: usize,
    /// Row groups that came back.
    n_done: usize,
}

/// A thread, which has one row group at most. It ends when it is dropped.
struct Encoder {
    groups: SyncSender<RawGroup>,
    encoded: Receiver<Encoded>,
}

impl Encoders {
    /// As many threads as suit a machine with so many cores.
    ///
    /// # Errors
    /// If the system has no room for a thread.
    pub(super) fn start(schema: &SchemaRef, n_cores: usize) -> io::Result<Self> {
        let n_encoders = (n_cores / CORES_PER_ENCODER).clamp(1, MOST_ENCODERS);
        let encoders = (0..n_encoders).map(|_| Encoder::start(schema.clone()));
        Ok(Self {
            encoders: encoders.collect::<io::Result<_>>()?,
            n_begun: 0,
            n_done: 0,
        })
    }

    /// Whether each thread has a row group: the first must be taken back before another is handed over.
    pub(super) fn are_full(&self) -> bool {
        self.n_begun - self.n_done == self.encoders.len()
    }

    /// Hands a row group over.
    ///
    /// # Errors
    /// If the thread is gone, which is a bug.
    pub(super) fn begin(&mut self, group: RawGroup) -> Result<(), ParquetError> {
        let encoder = &self.encoders[self.n_begun % self.encoders.len()];
        encoder.groups.send(group).map_err(|_| gone())?;
        self.n_begun += 1;
        Ok(())
    }

    /// Waits for the first row group of those that were handed over. Nothing, if there is none.
    ///
    /// # Errors
    /// If it could not be encoded.
    pub(super) fn next(&mut self) -> Result<Option<Vec<ArrowColumnChunk>>, ParquetError> {
        if self.n_done == self.n_begun {
            return Ok(None);
        }
        let encoder = &self.encoders[self.n_done % self.encoders.len()];
        let encoded = encoder.encoded.recv().map_err(|_| gone())?;
        self.n_done += 1;
        encoded.map(Some)
    }
}

impl Encoder {
    fn start(schema: SchemaRef) -> io::Result<Self> {
        // Both have room for the one row group that there is.
        let (groups, to_encode) = sync_channel::<RawGroup>(1);
        let (sender, encoded) = sync_channel(1);
        thread::Builder::new()
            .name("writing rows".to_owned())
            .spawn(move || {
                for group in to_encode {
                    if sender.send(encode(&schema, group)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { groups, encoded })
    }
}

fn encode(schema: &SchemaRef, group: RawGroup) -> Encoded {
    let RawGroup {
        batches,
        mut columns,
    } = group;
    // Each batch is freed as soon as it is encoded.
    for batch in batches {
        let mut leaves = columns.iter_mut();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, column)? {
                leaves.next().ok_or_else(gone)?.write(&leaf)?;
            }
        }
    }
    columns.into_iter().map(ArrowColumnWriter::close).collect()
}

fn gone() -> ParquetError {
    ParquetError::General("a thread that encodes rows has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::arrow::ArrowWriter;
    use arrow_array::{ArrayRef, UInt32Array};
    use std::sync::Arc;

    #[test]
    fn row_groups_come_back_in_their_order() {
        let batch = |n: u32| {
            let column: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..n));
            RecordBatch::try_from_iter([("n", column)]).unwrap()
        };
        let schema = batch(1).schema();
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), None).unwrap();
        let (_, factory) = writer.into_serialized_writer().unwrap();
        for (n_cores, n_threads) in [(1, 1), (24, 3), (1000, MOST_ENCODERS)] {
            let mut encoders = Encoders::start(&schema, n_cores).unwrap();
            assert_eq!(encoders.encoders.len(), n_threads);
            let mut n_rows = Vec::new();
            // The first ones take longest.
            for n in (1..=20).rev() {
                if encoders.are_full() {
                    n_rows.push(encoders.next().unwrap().unwrap()[0].close().rows_written);
                }
                let group = RawGroup {
                    batches: vec![batch(n * 1000), batch(n)],
                    columns: factory.create_column_writers(0).unwrap(),
                };
                encoders.begin(group).unwrap();
            }
            while let Some(chunks) = encoders.next().unwrap() {
                n_rows.push(chunks[0].close().rows_written);
            }
            let expected: Vec<u64> = (1..=20).rev().map(|n| n * 1001).collect();
            assert_eq!(n_rows, expected);
        }
    }
}
