//! A part, row group by row group.

use super::{
    super::{
        Ended, HashedFile, OutputPlan, PartWriter, SinkError, Spare,
        columns::{Columns, n_ragged_bytes},
    },
    encoders::{Encoders, Layout, RawGroup},
    entries::{key_values, of_content},
    pieces::Handover,
    row_group::RowGroup,
    shorten::{RowGroups, end_of},
    slot::Slot,
};
use crate::batch::{Rows, WINDOW_TEXT_BYTES};
use ::parquet::{
    arrow::{ArrowWriter, arrow_writer::ArrowRowGroupWriterFactory},
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::types::ColumnPath,
};
use arrow_array::RecordBatch;
use std::{collections::VecDeque, num::NonZeroUsize, path::PathBuf, thread};

/// Bytes in a row besides its vectors, about, where texts are as long as they usually are.
const BYTES_OF_TEXT: usize = 256;

/// Writes a Parquet file.
struct ParquetPart {
    writer: SerializedFileWriter<Slot>,
    /// Through which chunks go into the file that need not be copied.
    handover: Handover,
    factory: ArrowRowGroupWriterFactory,
    encoders: Encoders,
    /// The rows that come next.
    group: RowGroup,
    columns: Columns,
    /// The output, for errors.
    path: PathBuf,
    /// Bytes of each row group that was handed to the encoders and is not in the file, about.
    encoding_bytes: VecDeque<usize>,
    /// Where each row group that was written ends in the file, and how many rows there are up to there.
    ends: Vec<(u64, u64)>,
}

/// Begins a Parquet file.
///
/// # Errors
/// If the file system refuses.
pub(in super::super) fn part_writer(
    plan: &OutputPlan,
    file: HashedFile,
    metadata: &[(String, String)],
    spare: &Spare,
) -> Result<Box<dyn PartWriter>, SinkError> {
    let columns = Columns::new(&plan.question, plan.hidden_size, plan.more);
    let columns = columns.with_spare(spare.clone());
    let properties = properties(columns.value_paths(), metadata);
    let path = plan.target.path.clone();
    let file = Slot::new(file).map_err(|error| SinkError::io("write", &path, error))?;
    let handover = file.handover();
    let writer = ArrowWriter::try_new(file, columns.schema(), Some(properties))
        .and_then(ArrowWriter::into_serialized_writer);
    let (writer, factory) = writer.map_err(|error| SinkError::parquet(&path, error))?;
    let n_cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let layout = Layout {
        schema: columns.schema(),
        leaves: writer.schema_descr().columns().to_vec(),
    };
    let encoders = Encoders::start(&layout, n_cores);
    let encoders = encoders.map_err(|error| SinkError::io("write", &path, error))?;
    let bytes_per_row = plan.question.vector_bytes(plan.hidden_size) + BYTES_OF_TEXT;
    Ok(Box::new(ParquetPart {
        writer,
        handover,
        factory,
        encoders,
        group: RowGroup::new(bytes_per_row),
        columns,
        path,
        encoding_bytes: VecDeque::new(),
        ends: Vec::new(),
    }))
}

impl ParquetPart {
    fn take(&mut self, rows: RecordBatch) -> Result<(), ParquetError> {
        let mut n_ragged_bytes = n_ragged_bytes(&rows);
        let mut rest = Some(rows);
        while let Some(rows) = rest {
            rest = self.group.take(rows, std::mem::take(&mut n_ragged_bytes));
            if self.group.is_complete() {
                self.encode_group()?;
            }
        }
        Ok(())
    }

    /// Hands the row group to a thread, and writes one that is encoded if all threads are busy.
    fn encode_group(&mut self) -> Result<(), ParquetError> {
        if self.encoders.are_full() {
            self.write_group()?;
        }
        let n_groups = self.writer.flushed_row_groups().len();
        self.encoding_bytes.push_back(self.group.n_bytes());
        self.encoders.begin(RawGroup {
            columns: self.factory.create_column_writers(n_groups)?,
            batches: self.group.end(),
        })
    }

    /// Writes the next row group that is encoded, and says whether there was one.
    fn write_group(&mut self) -> Result<bool, ParquetError> {
        let Some(chunks) = self.encoders.next()? else {
            return Ok(false);
        };
        let mut at = self.writer.bytes_written() as u64;
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            at = chunk.append_to_row_group(&mut group, at, &self.handover)?;
        }
        group.close()?;
        self.encoding_bytes.pop_front();
        self.writer.flush()?;
        if let Some(group) = self.writer.flushed_row_groups().last() {
            let n_before = self.ends.last().map_or(0, |(_, n_rows)| *n_rows);
            let n_rows = n_before + group.num_rows().unsigned_abs();
            self.ends.push((end_of(group), n_rows));
        }
        Ok(true)
    }

    fn end(&mut self, metadata: &[(String, String)]) -> Result<Ended, ParquetError> {
        if self.group.n_rows() > 0 {
            self.encode_group()?;
        }
        while self.write_group()? {}
        self.writer.flush()?;
        let (n_bytes, hash) = self.writer.inner().content()?;
        let content = of_content(n_bytes, hash);
        for entry in key_values(metadata).chain(content) {
            self.writer.append_key_value_metadata(entry);
        }
        let groups = self.writer.finish()?;
        let file = self.writer.inner_mut().take();
        let path = self.path.clone();
        Ok(Ended {
            file: file.map_err(|error| SinkError::io("write", &path, error)),
            shorter: Box::new(RowGroups::new(groups, path)),
        })
    }
}

impl PartWriter for ParquetPart {
    fn write(&mut self, mut rows: Rows) -> Result<Vec<RecordBatch>, SinkError> {
        let mut held = Vec::new();
        while !rows.is_empty() {
            // Its text fits into an array.
            let piece = rows.take_text(WINDOW_TEXT_BYTES);
            let piece = self.columns.record_batch(piece);
            let piece = piece.map_err(|error| SinkError::parquet(&self.path, error.into()))?;
            held.push(piece.clone());
            self.write_again(piece)?;
        }
        Ok(held)
    }

    fn write_again(&mut self, rows: RecordBatch) -> Result<(), SinkError> {
        let taken = self.take(rows);
        taken.map_err(|error| SinkError::parquet(&self.path, error))
    }

    fn n_bytes(&self) -> u64 {
        let waiting = self.encoding_bytes.iter().sum::<usize>() + self.group.n_bytes();
        (self.writer.bytes_written() + waiting) as u64
    }

    fn n_rows_in_file(&self) -> u64 {
        let n_bytes = self.writer.inner().n_bytes_in_file();
        let n_groups = self.ends.partition_point(|(end, _)| *end <= n_bytes);
        let last = n_groups.checked_sub(1).map(|last| self.ends[last]);
        last.map_or(0, |(_, n_rows)| n_rows)
    }

    fn has_failed(&self) -> bool {
        self.writer.inner().has_failed()
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<Ended, SinkError> {
        let ended = self.end(metadata);
        ended.map_err(|error| SinkError::parquet(&self.path, error))
    }
}

/// How a file with such entries is written, whose vectors have their numbers at these places of the schema.
pub(super) fn properties(
    values: impl Iterator<Item = Vec<String>>,
    metadata: &[(String, String)],
) -> WriterProperties {
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(key_values(metadata).collect()))
        // Ids are unique and descriptions nearly so: a dictionary would only be tried in vain.
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()));
    values
        .map(ColumnPath::from)
        .fold(properties, |properties, path| {
            properties
                // With zstd, 15% smaller than plain floats, where zstd alone saves 7%.
                .set_column_encoding(path.clone(), Encoding::BYTE_STREAM_SPLIT)
                // The least and the largest component of many vectors help no reader.
                .set_column_statistics_enabled(path, EnabledStatistics::None)
        })
        .build()
}
