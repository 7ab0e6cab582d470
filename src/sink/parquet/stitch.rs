//! One file of many parts, whose columns are copied as they are.

use super::{
    super::{HashedFile, SinkError, Stitcher, hashed_file::hash, write_behind::PIECE_BYTES},
    entries::{self, CONTENT_HASH, key_values, of_content},
    file::{MAGIC, ParquetFile, damage},
    slot::Slot,
};
use ::parquet::{
    column::writer::ColumnCloseResult,
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::{KeyValue, ParquetMetaData},
        properties::WriterProperties,
        reader::{ChunkReader, Length},
        writer::SerializedFileWriter,
    },
    schema::types::SchemaDescriptor,
};
use bytes::Bytes;
use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;

/// One file of parts so far.
struct ParquetStitcher {
    writer: Writer,
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

/// The file, with the checksum of what came from the part at hand.
struct Stitched {
    file: Slot,
    part: blake3::Hasher,
}

/// The file of a part, which is read in large pieces.
struct PartFile<'a>(&'a File);

type Writer = SerializedFileWriter<BufWriter<Stitched>>;

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
    let stitched = Stitched {
        file: Slot::new(to).map_err(|error| stitching(first, error.into()))?,
        part: blake3::Hasher::new(),
    };
    let buffered = BufWriter::with_capacity(PIECE_BYTES, stitched);
    let schema = part.schema().root_schema_ptr();
    let properties = Arc::new(WriterProperties::default());
    let writer = SerializedFileWriter::new(buffered, schema, properties);
    let mut stitcher = ParquetStitcher {
        writer: writer.map_err(|error| stitching(first, error))?,
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

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let Self {
            mut writer,
            first,
            of_writer,
        } = *self;
        let finish = || {
            writer.flush()?;
            let (n_bytes, hash) = writer.inner_mut().get_mut().file.begin_footer()?;
            let content = of_content(n_bytes, hash);
            for entry in key_values(metadata).chain(of_writer).chain(content) {
                writer.append_key_value_metadata(entry);
            }
            writer.finish()?;
            writer.inner_mut().get_mut().file.take()?;
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
        let copied = part.copy(&mut self.writer);
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
    fn copy(&self, writer: &mut Writer) -> Result<String, ParquetError> {
        writer.flush()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&MAGIC);
        writer.inner_mut().get_mut().part = hasher;
        let indexes = self.metadata.page_index();
        for (n_group, group) in self.metadata.row_groups().iter().enumerate() {
            let mut row_group = writer.next_row_group()?;
            for (n_column, column) in group.columns().iter().enumerate() {
                let column_index = indexes.and_then(|of| of.column_index(n_group, n_column));
                let offset_index = indexes.and_then(|of| of.offset_index(n_group, n_column));
                let closed = ColumnCloseResult {
                    bytes_written: column.compressed_size().unsigned_abs(),
                    rows_written: group.num_rows().unsigned_abs(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: column_index.cloned(),
                    offset_index: offset_index.cloned(),
                };
                row_group.append_column(&PartFile(&self.file), closed)?;
            }
            row_group.close()?;
        }
        writer.flush()?;
        let stitched = writer.inner_mut().get_mut();
        // It may be asked for on the disk next.
        stitched.file.content()?;
        if stitched.file.has_failed() {
            // That is an error.
            stitched.file.take()?;
        }
        let hash = stitched.part.finalize();
        Ok(hash.to_hex().to_string())
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

impl Write for Stitched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n_written = self.file.write(bytes)?;
        hash(&mut self.part, &bytes[..n_written]);
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Length for PartFile<'_> {
    fn len(&self) -> u64 {
        Length::len(self.0)
    }
}

impl ChunkReader for PartFile<'_> {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let mut file = self.0.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::with_capacity(READ_BYTES, file))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.0.get_bytes(start, length)
    }
}
