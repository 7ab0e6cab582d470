//! Arrow IPC: the columns as they are in Parquet, uncompressed, so that they can be mapped into memory. Feather is
//! another name of it.

use super::{
    CONTENT_BYTES, CONTENT_HASH, Files, VERSION, check_content, damaged, spool::BUFFER_BYTES,
};
use crate::{
    file,
    job::ExportOptions,
    sink::{Checked, HashedFile, SinkError, TableRows, TableWriter},
};
use arrow_array::RecordBatch;
use arrow_ipc::{reader::FileReader, writer::FileWriter};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, BufWriter, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// What every file begins with.
const MAGIC: [u8; 6] = *b"ARROW1";

struct ArrowWriter(FileWriter<BufWriter<HashedFile>>);

/// Begins a file.
///
/// # Errors
/// If the file system refuses.
pub(super) fn begin(
    files: Files,
    _options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let file = BufWriter::with_capacity(BUFFER_BYTES, HashedFile::new(files.main));
    // What the schema says besides is about Parquet.
    let schema = Schema::new(schema.fields().clone());
    let writer = FileWriter::try_new(file, &schema).map_err(refused)?;
    Ok(Box::new(ArrowWriter(writer)))
}

fn refused(error: ArrowError) -> SinkError {
    match error {
        ArrowError::IoError(_, error) => SinkError::writing(error),
        other => SinkError::Unfit {
            message: format!("cannot be written as Arrow: {other}"),
            hint: "write `.parquet`".to_owned(),
        },
    }
}

impl TableWriter for ArrowWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.0.write(rows).map_err(refused)
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let writer = &mut self.0;
        writer.flush().map_err(refused)?;
        let content = writer.get_ref().get_ref();
        let content = [
            (CONTENT_BYTES.to_owned(), content.n_bytes().to_string()),
            (CONTENT_HASH.to_owned(), content.hash()),
        ];
        for (key, value) in metadata.iter().cloned().chain(content) {
            writer.write_metadata(key, value);
        }
        writer.finish().map_err(refused)?;
        let flushed = writer.get_mut().flush();
        flushed.map_err(SinkError::writing)
    }
}

/// What becomes of a file that is opened as Arrow IPC.
type Opened = Result<FileReader<BufReader<File>>, ArrowError>;

/// A file that says of itself that it is Arrow IPC.
fn open(path: &Path) -> Result<Option<Opened>, SinkError> {
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    let mut magic = MAGIC;
    if file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
        return Ok(None);
    }
    Ok(Some(FileReader::try_new(BufReader::new(file), None)))
}

fn entries(reader: &FileReader<BufReader<File>>) -> Option<BTreeMap<String, String>> {
    let entries = reader.custom_metadata();
    let is_ours = entries.contains_key(VERSION);
    is_ours.then(|| entries.clone().into_iter().collect())
}

/// As [`Format::read_metadata`](super::Format::read_metadata).
pub(super) fn read_metadata(path: &Path) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    match open(path)? {
        None => Ok(None),
        Some(Ok(reader)) => Ok(entries(&reader)),
        Some(Err(error)) => Err(damaged(path, error)),
    }
}

/// As [`Format::schema`](super::Format::schema).
pub(super) fn schema(path: &Path) -> Result<SchemaRef, SinkError> {
    Ok(opened(path)?.schema())
}

fn opened(path: &Path) -> Result<FileReader<BufReader<File>>, SinkError> {
    match open(path)? {
        None => Err(damaged(path, "it is no Arrow file")),
        Some(reader) => reader.map_err(|error| damaged(path, error)),
    }
}

/// As [`Format::rows`](super::Format::rows).
pub(super) fn rows(path: &Path) -> Result<TableRows<'_>, SinkError> {
    let reader = opened(path)?;
    let metadata = entries(&reader).ok_or_else(|| damaged(path, "it has no checksum"))?;
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    check_content(file, &metadata).map_err(|problem| SinkError::damaged_part(path, problem))?;
    Ok(TableRows {
        schema: reader.schema(),
        rows: Box::new(reader.map(|rows| rows.map_err(|error| damaged(path, error)))),
    })
}

/// As [`Format::check`](super::Format::check).
pub(super) fn check(path: &Path) -> Result<Checked, SinkError> {
    let wrong = |problem: String| Checked {
        rows: 0,
        problems: vec![problem],
    };
    let reader = match open(path)? {
        None => return Ok(wrong("is no Arrow file".to_owned())),
        Some(Err(error)) => return Ok(wrong(format!("is damaged, or was cut short: {error}"))),
        Some(Ok(reader)) => reader,
    };
    let Some(metadata) = entries(&reader) else {
        return Ok(wrong("was not written by runner".to_owned()));
    };
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    if let Err(problem) = check_content(file, &metadata) {
        // What is known to be wrong is not decoded: nobody knows what would come out.
        return Ok(wrong(problem));
    }
    let mut checked = Checked {
        rows: 0,
        problems: Vec::new(),
    };
    for batch in reader {
        match batch {
            Ok(batch) => checked.rows += batch.num_rows() as u64,
            Err(error) => {
                checked.problems.push(format!("cannot be decoded: {error}"));
                break;
            }
        }
    }
    Ok(checked)
}
