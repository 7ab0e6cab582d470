//! One file of many parts, whose columns are copied as they are.

use super::{
    super::{HashedFile, SinkError, Spare, Stitcher, hashed_file::hash, write_behind::PIECE_BYTES},
    entries::{self, CONTENT_HASH, key_values, of_content},
    file::{MAGIC, ParquetFile, damage},
    pieces::{Elsewhere, Handover, Pieces},
    slot::Slot,
};
use crate::job::OutputFormat;
use ::parquet::{
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{
        metadata::{KeyValue, ParquetMetaData},
        properties::WriterProperties,
        writer::SerializedFileWriter,
    },
    schema::types::SchemaDescriptor,
};
use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Pieces whose memory is kept: a column that is read, and one that is written.
const MOST_SPARE: usize = 24;

/// One file of parts so far.
struct ParquetStitcher {
    writer: SerializedFileWriter<Slot>,
    /// Through which columns go into the file without being copied in memory.
    handover: Handover,
    /// Memory that columns are read into.
    spare: Spare,
    /// The first part, whose columns the others must have.
    first: PathBuf,
    /// What the Parquet writer put into its metadata.
    of_writer: Vec<KeyValue>,
}

/// A part on its way into the file.
struct Part<'a> {
    path: &'a Path,
    file: File,
    metadata: ParquetMetaData,
}

/// Begins a file with the rows of a part. It has the columns of that one.
///
/// # Errors
/// - If the part does not hold what was written.
/// - If the file system refuses.
pub(in super::super) fn stitcher(
    to: HashedFile,
    first: &Path,
) -> Result<Box<dyn Stitcher>, SinkError> {
    let part = Part::open(first)?;
    let slot = Slot::new(to).map_err(|error| stitching(first, error.into()))?;
    let handover = slot.handover();
    let schema = part.schema().root_schema_ptr();
    let properties = Arc::new(WriterProperties::default());
    let writer = SerializedFileWriter::new(slot, schema, properties);
    let mut stitcher = ParquetStitcher {
        writer: writer.map_err(|error| stitching(first, error))?,
        handover,
        spare: Spare::new(MOST_SPARE),
        first: first.to_owned(),
        of_writer: entries::of_writer(&part.metadata),
    };
    stitcher.copy(&part)?;
    Ok(Box::new(stitcher))
}

fn stitching(part: &Path, error: ParquetError) -> SinkError {
    SinkError::stitching(part.parent().unwrap_or(part), part, error)
}

impl Stitcher for ParquetStitcher {
    fn append(&mut self, part: &Path) -> Result<(), SinkError> {
        let part = Part::open(part)?;
        self.check_like(&part)?;
        self.copy(&part)
    }

    fn take(&mut self, _rows: &RecordBatch) -> Result<(), SinkError> {
        Err(SinkError::not_taken(OutputFormat::OF_PARTS))
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let Self {
            mut writer,
            first,
            of_writer,
            ..
        } = *self;
        let finish = || {
            writer.flush()?;
            let (n_bytes, hash) = writer.inner_mut().begin_footer()?;
            let content = of_content(n_bytes, hash);
            for entry in key_values(metadata).chain(of_writer).chain(content) {
                writer.append_key_value_metadata(entry);
            }
            writer.finish()?;
            writer.inner_mut().take()?;
            Ok(())
        };
        finish().map_err(|error| stitching(&first, error))
    }
}

impl ParquetStitcher {
    /// Checks that a part has the columns of the first one.
    fn check_like(&self, part: &Part<'_>) -> Result<(), SinkError> {
        let is_alike = part.schema() == self.writer.schema_descr()
            && entries::of_writer(&part.metadata) == self.of_writer;
        if is_alike {
            return Ok(());
        }
        let message = format!("has other columns than `{}`", self.first.display());
        Err(SinkError::damaged_part(part.path, message))
    }

    /// Copies a part, and checks that it is what was written.
    fn copy(&mut self, part: &Part<'_>) -> Result<(), SinkError> {
        let copied = part.copy(self);
        part.check_copied(&copied.map_err(|error| stitching(part.path, error))?)
    }
}

impl<'a> Part<'a> {
    fn open(path: &'a Path) -> Result<Self, SinkError> {
        let damaged = |message| SinkError::damaged_part(path, message);
        let file = ParquetFile::open(path)?;
        let file = file.ok_or_else(|| damaged("is not a Parquet file any more".to_owned()))?;
        Ok(Self {
            path,
            file: file.file,
            metadata: file.metadata.map_err(|error| damaged(damage(&error)))?,
        })
    }

    fn schema(&self) -> &SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Copies the row groups, and returns the checksum that the part would have to have.
    fn copy(&self, to: &mut ParquetStitcher) -> Result<String, ParquetError> {
        let ParquetStitcher {
            writer,
            handover,
            spare,
            ..
        } = to;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&MAGIC);
        let indexes = self.metadata.page_index();
        let mut at = writer.bytes_written() as u64;
        for (n_group, group) in self.metadata.row_groups().iter().enumerate() {
            let mut row_group = writer.next_row_group()?;
            for (n_column, column) in group.columns().iter().enumerate() {
                let (start, n_bytes) = column.byte_range();
                let column_index = indexes.and_then(|of| of.column_index(n_group, n_column));
                let offset_index = indexes.and_then(|of| of.offset_index(n_group, n_column));
                let closed = ColumnCloseResult {
                    bytes_written: n_bytes,
                    rows_written: group.num_rows().unsigned_abs(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: column_index.cloned(),
                    offset_index: offset_index.cloned(),
                };
                handover.put(at, self.read(start, n_bytes, spare, &mut hasher)?);
                row_group.append_column(&Elsewhere(n_bytes), closed)?;
                at += n_bytes;
            }
            row_group.close()?;
        }
        writer.flush()?;
        // It may be asked for on the disk next.
        writer.inner().content()?;
        if writer.inner().has_failed() {
            // That is an error.
            writer.inner_mut().take()?;
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Reads some bytes, and hashes them.
    fn read(
        &self,
        start: u64,
        n_bytes: u64,
        spare: &Spare,
        hasher: &mut blake3::Hasher,
    ) -> io::Result<Pieces> {
        let mut pieces = Pieces::default();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        while pieces.n_bytes() < n_bytes {
            let n_left = n_bytes - pieces.n_bytes();
            let mut memory = spare.take(PIECE_BYTES);
            file.take(n_left.min(PIECE_BYTES as u64))
                .read_to_end(&mut memory)?;
            if memory.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hash(hasher, &memory);
            let piece = Buffer::from_vec(memory);
            spare.keep(&piece);
            pieces.push(piece);
        }
        Ok(pieces)
    }

    /// Checks that what was copied is what was written.
    fn check_copied(&self, hash: &str) -> Result<(), SinkError> {
        let ours = entries::ours(&self.metadata).unwrap_or_default();
        if ours
            .get(CONTENT_HASH)
            .is_some_and(|written| written == hash)
        {
            return Ok(());
        }
        let message = "is damaged: its data has another checksum than it was written with";
        Err(SinkError::damaged_part(self.path, message.to_owned()))
    }
}
