//! One file of many parts, whose columns are copied as they are.

use super::{
    super::{HashedFile, SinkError},
    entries::{self, CONTENT_HASH, key_values, of_content},
    file::{MAGIC, ParquetFile, damage},
};
use ::parquet::{
    column::writer::ColumnCloseResult,
    errors::ParquetError,
    file::{metadata::ParquetMetaData, properties::WriterProperties, writer::SerializedFileWriter},
};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Bytes that are hashed and written at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// A part on its way into the file.
struct Part<'a> {
    path: &'a Path,
    file: File,
    metadata: ParquetMetaData,
}

/// The file, with the checksum of what came from the part at hand.
struct Stitched {
    file: HashedFile,
    part: blake3::Hasher,
}

type Writer<'a> = SerializedFileWriter<BufWriter<&'a mut Stitched>>;

/// Writes one file with the rows of all parts, in their order. Its metadata is that of the first part,
/// with `metadata` in place of the entries of this program.
///
/// # Errors
/// - If there is no part, or one that does not hold what was written, or has other columns.
/// - If the file system refuses.
pub(in super::super) fn stitch(
    parts: &[PathBuf],
    to: HashedFile,
    metadata: &[(String, String)],
) -> Result<HashedFile, SinkError> {
    let [first, ..] = parts else {
        return Err(SinkError::NoParts);
    };
    let folder = first.parent().unwrap_or(first);
    let mut stitched = Stitched {
        file: to,
        part: blake3::Hasher::new(),
    };
    let first = Part::open(first)?;
    let entries = key_values(metadata).chain(entries::of_writer(&first.metadata));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(entries.collect()));
    let schema = first.schema().root_schema_ptr();
    let failed = |error| SinkError::stitching(folder, first.path, error);
    let buffered = BufWriter::with_capacity(BUFFER_BYTES, &mut stitched);
    let mut writer = SerializedFileWriter::new(buffered, schema, Arc::new(properties.build()))
        .map_err(failed)?;
    for path in parts {
        let part = Part::open(path)?;
        part.check_like(&first)?;
        let copied = part.copy(&mut writer);
        let hash = copied.map_err(|error| SinkError::stitching(folder, path, error))?;
        part.check_copied(&hash)?;
    }
    let content = &writer.inner().get_ref().file;
    for entry in of_content(content.n_bytes(), content.hash()) {
        writer.append_key_value_metadata(entry);
    }
    writer.finish().map_err(failed)?;
    drop(writer);
    Ok(stitched.file)
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

    fn schema(&self) -> &::parquet::schema::types::SchemaDescriptor {
        self.metadata.file_metadata().schema_descr()
    }

    /// Checks that the part has the columns of another one.
    fn check_like(&self, other: &Part<'_>) -> Result<(), SinkError> {
        let is_alike = self.schema() == other.schema()
            && entries::of_writer(&self.metadata) == entries::of_writer(&other.metadata);
        if is_alike {
            return Ok(());
        }
        let message = format!("has other columns than `{}`", other.path.display());
        Err(SinkError::damaged_part(self.path, message))
    }

    /// Copies the row groups, and returns the checksum that the part would have to have.
    fn copy(&self, writer: &mut Writer<'_>) -> Result<String, ParquetError> {
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
                row_group.append_column(&self.file, closed)?;
            }
            row_group.close()?;
        }
        writer.flush()?;
        let hash = writer.inner().get_ref().part.finalize();
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
        self.part.update(&bytes[..n_written]);
        Ok(n_written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
