//! A part, row group by row group.

use super::{
    super::{Ended, HashedFile, OutputPlan, PartWriter, SinkError, columns::Columns},
    entries::{key_values, of_content},
    shorten::{RowGroups, end_of},
    slot::Slot,
};
use crate::batch::{Row, Rows, WINDOW_TEXT_BYTES};
use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::properties::{EnabledStatistics, WriterProperties},
    schema::types::ColumnPath,
};
use std::path::PathBuf;

/// Bytes of vectors, and bytes of text, in a row group, about: it ends with the rows that reach one of
/// them, of which [`WINDOW_TEXT_BYTES`] of text are written at a time. The writer keeps a row group in
/// memory until it is complete, and readers load one at a time.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Bytes in a row besides its vectors, about, where texts are as long as they usually are.
const BYTES_OF_TEXT: usize = 256;

/// Writes a Parquet file.
struct ParquetPart {
    writer: ArrowWriter<Slot>,
    columns: Columns,
    /// The output, for errors.
    path: PathBuf,
    /// Bytes of text in the row group so far, at most. The writer counts them when they are compressed,
    /// but whoever reads them has them as they are.
    n_group_text_bytes: usize,
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
    let columns = Columns::new(&plan.identity.layers, plan.hidden_size);
    let properties = properties(&columns, metadata);
    let writer = ArrowWriter::try_new(Slot::new(file), columns.schema(), Some(properties))
        .map_err(|error| SinkError::parquet(&plan.target.path, error))?;
    Ok(Box::new(ParquetPart {
        writer,
        columns,
        path: plan.target.path.clone(),
        n_group_text_bytes: 0,
        n_rows_in_file: 0,
    }))
}

impl ParquetPart {
    /// Writes rows whose text fits into an array.
    fn write_piece(&mut self, piece: Rows) -> Result<(), ParquetError> {
        let n_text_bytes: usize = piece.meta.iter().map(Row::text_bytes).sum();
        let n_groups = self.writer.flushed_row_groups().len();
        self.writer.write(&self.columns.record_batch(piece)?)?;
        if self.writer.flushed_row_groups().len() > n_groups {
            self.n_group_text_bytes = 0;
        }
        self.n_group_text_bytes += n_text_bytes;
        if self.n_group_text_bytes >= ROW_GROUP_BYTES {
            self.writer.flush()?;
            self.n_group_text_bytes = 0;
        }
        if self.writer.flushed_row_groups().len() > n_groups {
            self.look_into_file()?;
        }
        Ok(())
    }

    /// Counts the rows that have reached the file.
    fn look_into_file(&mut self) -> Result<(), ParquetError> {
        self.writer.sync()?;
        let n_bytes = self.writer.inner().file()?.n_bytes();
        let groups = self.writer.flushed_row_groups().iter();
        let in_file = groups.take_while(|group| end_of(group) <= n_bytes);
        self.n_rows_in_file = in_file.map(|group| group.num_rows().unsigned_abs()).sum();
        Ok(())
    }

    fn end(&mut self, metadata: &[(String, String)]) -> Result<Ended, ParquetError> {
        self.writer.flush()?;
        self.writer.sync()?;
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
        (self.writer.bytes_written() + self.writer.in_progress_size()) as u64
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

fn properties(columns: &Columns, metadata: &[(String, String)]) -> WriterProperties {
    let bytes_per_row = columns.n_values_per_row() * size_of::<f32>() + BYTES_OF_TEXT;
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some((ROW_GROUP_BYTES / bytes_per_row).max(1)))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_key_value_metadata(Some(key_values(metadata).collect()))
        // Ids are unique and descriptions nearly so: a dictionary would only be tried in vain.
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()));
    let values = columns.value_paths().map(ColumnPath::from);
    values
        .fold(properties, |properties, path| {
            properties
                // With zstd, 15% smaller than plain floats, where zstd alone saves 7%.
                .set_column_encoding(path.clone(), Encoding::BYTE_STREAM_SPLIT)
                // The least and the largest component of many vectors help no reader.
                .set_column_statistics_enabled(path, EnabledStatistics::None)
        })
        .build()
}
