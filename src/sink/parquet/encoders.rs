//! The threads that encode row groups, so that the writing stage need not wait for them.

use super::{
    pieces::Handover,
    plain::{PlainChunk, is_plain},
};
use ::parquet::{
    arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves},
    errors::ParquetError,
    file::writer::SerializedRowGroupWriter,
    schema::types::ColumnDescPtr,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use std::{
    io::{self, Write},
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

/// A column of a row group that is encoded.
pub(super) enum Chunk {
    General(ArrowColumnChunk),
    Plain(PlainChunk),
}

impl Chunk {
    #[cfg(test)]
    fn n_rows(&self) -> u64 {
        match self {
            Self::General(chunk) => chunk.close().rows_written,
            Self::Plain(chunk) => chunk.n_rows(),
        }
    }

    /// Bytes in a file.
    fn n_bytes(&self) -> u64 {
        match self {
            Self::General(chunk) => chunk.close().metadata.compressed_size().unsigned_abs(),
            Self::Plain(chunk) => chunk.n_bytes(),
        }
    }

    /// Puts it into a file that has `at` bytes, and tells how many it has then. What need not be copied is handed over.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn append_to_row_group<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        at: u64,
        handover: &Handover,
    ) -> Result<u64, ParquetError> {
        let end = at + self.n_bytes();
        match self {
            Self::General(chunk) => chunk.append_to_row_group(group)?,
            Self::Plain(chunk) => chunk.append_to_row_group(group, at, handover)?,
        }
        Ok(end)
    }
}

/// A column on its way to a chunk.
enum Column {
    General(Box<ArrowColumnWriter>),
    Plain(Vec<ArrayRef>),
}

/// What rows are written as: their columns, and the leaf of each in a file. No column has several.
#[derive(Clone)]
pub(super) struct Layout {
    pub(super) schema: SchemaRef,
    pub(super) leaves: Vec<ColumnDescPtr>,
}

/// A row group that is encoded.
type Encoded = Result<Vec<Chunk>, ParquetError>;

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
    pub(super) fn start(layout: &Layout, n_cores: usize) -> io::Result<Self> {
        let n_encoders = (n_cores / CORES_PER_ENCODER).clamp(1, MOST_ENCODERS);
        let encoders = (0..n_encoders).map(|_| Encoder::start(layout.clone()));
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
    pub(super) fn next(&mut self) -> Result<Option<Vec<Chunk>>, ParquetError> {
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
    fn start(layout: Layout) -> io::Result<Self> {
        // Both have room for the one row group that there is.
        let (groups, to_encode) = sync_channel::<RawGroup>(1);
        let (sender, encoded) = sync_channel(1);
        thread::Builder::new()
            .name("writing rows".to_owned())
            .spawn(move || {
                for group in to_encode {
                    if sender.send(encode(&layout, group)).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { groups, encoded })
    }
}

fn encode(layout: &Layout, group: RawGroup) -> Encoded {
    let mut columns = Vec::with_capacity(layout.leaves.len());
    for (field, writer) in layout.schema.fields().iter().zip(group.columns) {
        columns.push(match is_plain(field.data_type()) {
            true => Column::Plain(Vec::new()),
            false => Column::General(Box::new(writer)),
        });
    }
    // Each batch is freed as soon as it is encoded, but for columns that are copied when all are there.
    for batch in group.batches {
        let fields = layout.schema.fields().iter().zip(batch.columns());
        for ((field, rows), column) in fields.zip(&mut columns) {
            match column {
                Column::Plain(all) => all.push(rows.clone()),
                Column::General(writer) => {
                    for leaf in compute_leaves(field, rows)? {
                        writer.write(&leaf)?;
                    }
                }
            }
        }
    }
    let columns = columns.into_iter().zip(&layout.leaves);
    let chunks = columns.map(|(column, leaf)| match column {
        Column::Plain(rows) => PlainChunk::new(leaf, &rows).map(Chunk::Plain),
        Column::General(writer) => writer.close().map(Chunk::General),
    });
    chunks.collect()
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
        let (writer, factory) = writer.into_serialized_writer().unwrap();
        let layout = Layout {
            schema,
            leaves: writer.schema_descr().columns().to_vec(),
        };
        for (n_cores, n_threads) in [(1, 1), (24, 3), (1000, MOST_ENCODERS)] {
            let mut encoders = Encoders::start(&layout, n_cores).unwrap();
            assert_eq!(encoders.encoders.len(), n_threads);
            let mut n_rows = Vec::new();
            // The first ones take longest.
            for n in (1..=20).rev() {
                if encoders.are_full() {
                    n_rows.push(encoders.next().unwrap().unwrap()[0].n_rows());
                }
                let group = RawGroup {
                    batches: vec![batch(n * 1000), batch(n)],
                    columns: factory.create_column_writers(0).unwrap(),
                };
                encoders.begin(group).unwrap();
            }
            while let Some(chunks) = encoders.next().unwrap() {
                n_rows.push(chunks[0].n_rows());
            }
            let expected: Vec<u64> = (1..=20).rev().map(|n| n * 1001).collect();
            assert_eq!(n_rows, expected);
        }
    }
}
