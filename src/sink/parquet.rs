//! Parquet files: a row a sequence, a column of vectors a layer.

use super::{
    Closing, EmbeddedBatch, OutputPlan, Published, Rejects, Sink, SinkError, columns::Columns,
};
use crate::{
    batch::{Row, WINDOW_TEXT_BYTES},
    file::{Existing, Keep, Staged},
};
use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
    },
    schema::types::ColumnPath,
};
use std::fs::File;

/// Bytes of vectors, and bytes of text, in a row group, about: it ends with the rows that reach one of
/// them, of which [`WINDOW_TEXT_BYTES`] of text are written at a time. The writer keeps a row group in
/// memory until it is complete, and readers load one at a time.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// Bytes in a row besides its vectors, about, where texts are as long as they usually are.
const BYTES_OF_TEXT: usize = 256;

/// Writes `id`, `description` (strings), `length` (residues before truncation, u32), `truncated`
/// (bool), and a fixed-size list of `f32` for each layer: `embedding` if there is one layer, else
/// `embedding_<layer>`. The metadata is that of [`Provenance`](super::Provenance).
pub struct ParquetSink {
    // Before `staged`, so that an abandoned file is removed after the last write to it.
    writer: ArrowWriter<File>,
    staged: Staged,
    columns: Columns,
    n_rows: u64,
    /// Bytes of text in the row group so far, at most. The writer counts them when they are compressed,
    /// but whoever reads them has them as they are.
    n_group_text_bytes: usize,
}

impl ParquetSink {
    /// An output without rows, under a temporary name.
    ///
    /// # Errors
    /// - If the output exists and may not be replaced, or is not a file.
    /// - If the file system refuses.
    pub fn create(plan: &OutputPlan) -> Result<Self, SinkError> {
        let columns = Columns::new(&plan.provenance.layers, plan.hidden_size);
        let staged = Staged::create(&plan.path, Existing::unless(plan.overwrite))?;
        let properties = properties(&columns, plan);
        let writer = ArrowWriter::try_new(staged.writer()?, columns.schema(), Some(properties))
            .map_err(|error| SinkError::parquet(&plan.path, error))?;
        Ok(Self {
            writer,
            staged,
            columns,
            n_rows: 0,
            n_group_text_bytes: 0,
        })
    }

    /// Writes rows whose text fits into an array.
    fn write_piece(&mut self, piece: EmbeddedBatch) -> Result<(), ParquetError> {
        let n_text_bytes: usize = piece.rows.iter().map(Row::text_bytes).sum();
        let n_rows = piece.rows.len() as u64;
        let n_groups = self.writer.flushed_row_groups().len();
        self.writer.write(&self.columns.record_batch(piece)?)?;
        self.n_rows += n_rows;
        if self.writer.flushed_row_groups().len() > n_groups {
            self.n_group_text_bytes = 0;
        }
        self.n_group_text_bytes += n_text_bytes;
        if self.n_group_text_bytes >= ROW_GROUP_BYTES {
            self.writer.flush()?;
            self.n_group_text_bytes = 0;
        }
        Ok(())
    }

    fn error(&self, error: ParquetError) -> SinkError {
        SinkError::parquet(self.staged.target(), error)
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, mut batch: EmbeddedBatch) -> Result<(), SinkError> {
        while !batch.rows.is_empty() {
            let piece = batch.take_text(WINDOW_TEXT_BYTES);
            let written = self.write_piece(piece);
            written.map_err(|error| self.error(error))?;
        }
        Ok(())
    }

    fn finish(
        mut self: Box<Self>,
        closing: Closing,
        rejects: Rejects,
    ) -> Result<Published, SinkError> {
        for (key, value) in closing.entries(self.n_rows, rejects.n_rejected())? {
            self.writer.append_key_value_metadata(key_value(key, value));
        }
        let finished = self.writer.finish();
        finished.map_err(|error| self.error(error))?;
        let (output, rejects) =
            rejects.publish_with(|| Ok(self.staged.publish(Keep::Safely)?))?;
        Ok(Published {
            output: Some(output),
            rejects,
        })
    }
}

fn properties(columns: &Columns, plan: &OutputPlan) -> WriterProperties {
    let entries = plan.provenance.entries().into_iter();
    let metadata = entries.map(|(key, value)| key_value(key, value)).collect();
    let bytes_per_row = columns.n_values_per_row() * size_of::<f32>() + BYTES_OF_TEXT;
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some((ROW_GROUP_BYTES / bytes_per_row).max(1)))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_key_value_metadata(Some(metadata))
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

fn key_value(key: &str, value: String) -> KeyValue {
    KeyValue::new(key.to_owned(), value)
}
