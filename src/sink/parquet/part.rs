//! A part, row group by row group.

use super::{
    super::{Ended, HashedFile, OutputPlan, PartWriter, SinkError, columns::Columns},
    encoders::{Encoders, Layout, RawGroup},
    entries::{key_values, of_content},
    row_group::RowGroup,
    shorten::{RowGroups, end_of},
    slot::Slot,
};
use crate::batch::{Row, Rows, WINDOW_TEXT_BYTES};
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
use std::{collections::VecDeque, num::NonZeroUsize, path::PathBuf, thread};

/// Bytes in a row besides its vectors, about, where texts are as long as they usually are.
const BYTES_OF_TEXT: usize = 256;

/// Writes a Parquet file.
struct ParquetPart {
    writer: SerializedFileWriter<Slot>,
    factory: ArrowRowGroupWriterFactory,
    encoders: Encoders,
    /// The rows that come next.
    group: RowGroup,
    columns: Columns,
    /// The output, for errors.
    path: PathBuf,
    /// Bytes of each row group that was handed to the encoders and is not in the file, about.
    encoding_bytes: VecDeque<usize>,
    /// Rows of the row groups that are in the file.
    n_rows_in_file: u64,
}

/// Begins a Parquet file.
///
/// # Errors
/// If the file system refuses.
pub(in super::super) fn part_writer(
    plan: &OutputPlan,
    file: HashedFile,
    metadata: &[(String, String)],
) -> Result<Box<dyn PartWriter>, SinkError> {
    let columns = Columns::new(&plan.question, plan.hidden_size, plan.windows);
    let properties = properties(columns.value_paths(), metadata);
    let path = plan.target.path.clone();
    let writer = ArrowWriter::try_new(Slot::new(file), columns.schema(), Some(properties))
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
        factory,
        encoders,
        group: RowGroup::new(bytes_per_row),
        columns,
        path,
        encoding_bytes: VecDeque::new(),
        n_rows_in_file: 0,
    }))
}

impl ParquetPart {
    /// Writes rows whose text fits into an array.
    fn write_piece(&mut self, piece: Rows) -> Result<(), ParquetError> {
        let n_text_bytes: usize = piece.meta.iter().map(Row::text_bytes).sum();
        let mut n_ragged_bytes = n_text_bytes + self.columns.n_ragged_bytes(&piece);
        let mut rest = Some(self.columns.record_batch(piece)?);
        while let Some(batch) = rest {
            rest = self.group.take(batch, std::mem::take(&mut n_ragged_bytes));
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
        let mut group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut group)?;
        }
        group.close()?;
        self.encoding_bytes.pop_front();
        self.look_into_file()?;
        Ok(true)
    }

    /// Counts the rows that have reached the file.
    fn look_into_file(&mut self) -> Result<(), ParquetError> {
        self.writer.flush()?;
        let n_bytes = self.writer.inner().file()?.n_bytes();
        let groups = self.writer.flushed_row_groups().iter();
        let in_file = groups.take_while(|group| end_of(group) <= n_bytes);
        self.n_rows_in_file = in_file.map(|group| group.num_rows().unsigned_abs()).sum();
        Ok(())
    }

    fn end(&mut self, metadata: &[(String, String)]) -> Result<Ended, ParquetError> {
        if self.group.n_rows() > 0 {
            self.encode_group()?;
        }
        while self.write_group()? {}
        self.writer.flush()?;
        let content = self.writer.inner().file()?;
        let content = of_content(content.n_bytes(), content.hash());
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
    fn write(&mut self, mut rows: Rows) -> Result<(), SinkError> {
        while !rows.is_empty() {
            let piece = rows.take_text(WINDOW_TEXT_BYTES);
            let written = self.write_piece(piece);
            written.map_err(|error| SinkError::parquet(&self.path, error))?;
        }
        Ok(())
    }

    fn n_bytes(&self) -> u64 {
        let waiting = self.encoding_bytes.iter().sum::<usize>() + self.group.n_bytes();
        (self.writer.bytes_written() + waiting) as u64
    }

    fn n_rows_in_file(&self) -> u64 {
        self.n_rows_in_file
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
