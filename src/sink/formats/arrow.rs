//! Arrow IPC: the columns as they are in Parquet, uncompressed, so that they can be mapped into memory. Feather is
//! another name of it.

use super::{CONTENT_BYTES, CONTENT_HASH, Files, checksum, damaged, spool::BUFFER_BYTES};
use crate::{
    file::{self, VERSION, guarded},
    job::ExportOptions,
    sink::{Checked, HashedFile, SinkError, TableRows, TableWriter},
};
use arrow_array::RecordBatch;
use arrow_ipc::{reader::FileReader, writer::FileWriter};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, BufWriter, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

/// What every file begins with.
const MAGIC: [u8; 6] = *b"ARROW1";

/// What every file ends with: the length of the footer before it, and this.
const END_BYTES: u64 = 4 + MAGIC.len() as u64;

struct ArrowWriter {
    writer: FileWriter<BufWriter<HashedFile>>,
    file: File,
}

/// Begins a file.
///
/// # Errors
/// If the file system refuses.
pub(super) fn begin(
    files: Files,
    _options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let file = files.main.try_clone().map_err(SinkError::writing)?;
    let hashed = BufWriter::with_capacity(BUFFER_BYTES, HashedFile::new(files.main));
    // What the schema says besides is about Parquet.
    let schema = Schema::new(schema.fields().clone());
    let writer = FileWriter::try_new(hashed, &schema).map_err(refused)?;
    Ok(Box::new(ArrowWriter { writer, file }))
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
        self.writer.write(rows).map_err(refused)
    }

    fn finish(mut self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let writer = &mut self.writer;
        writer.flush().map_err(refused)?;
        let content = writer.get_ref().get_ref();
        let content = [
            (CONTENT_BYTES.to_owned(), content.n_bytes().to_string()),
            (CONTENT_HASH.to_owned(), checksum::UNKNOWN.to_owned()),
        ];
        for (key, value) in metadata.iter().cloned().chain(content) {
            writer.write_metadata(key, value);
        }
        writer.finish().map_err(refused)?;
        let file = writer.get_mut();
        file.flush().map_err(SinkError::writing)?;
        let digits = file.get_ref().hash();
        let put = put_checksum(&self.file, &digits);
        put.map_err(SinkError::writing)
    }
}

/// Puts the checksum into the footer of a file that is complete but for that.
fn put_checksum(file: &File, digits: &str) -> io::Result<()> {
    let range = footer(file)?;
    let mut footer = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut footer, range.start)?;
    let at = checksum::put(&mut footer, digits)?;
    file.write_all_at(digits.as_bytes(), range.start + at as u64)
}

/// Where the footer of a file is.
fn footer(file: &File) -> io::Result<Range<u64>> {
    let n_bytes = file.metadata()?.len();
    let end = n_bytes.saturating_sub(END_BYTES);
    let mut length = [0; 4];
    file.read_exact_at(&mut length, end)?;
    let begin = end.checked_sub(u64::from(u32::from_le_bytes(length)));
    begin
        .map(|begin| begin..end)
        .ok_or_else(|| io::Error::other("the footer is longer than the file"))
}

/// Compares a file with its checksum.
fn check_file(file: &File, metadata: &BTreeMap<String, String>) -> Result<(), String> {
    let place = || Ok::<_, io::Error>((footer(file)?, file.metadata()?.len()));
    let (footer, n_bytes) = place().map_err(|error| format!("cannot be read: {error}"))?;
    let all = 0..n_bytes;
    checksum::check(file, std::slice::from_ref(&all), footer, metadata)
}

/// What becomes of a file that is opened as Arrow IPC.
type Opened = Result<FileReader<BufReader<File>>, ArrowError>;

/// The rows of a file, in which there may be anything.
struct Batches(FileReader<BufReader<File>>);

impl Iterator for Batches {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = guarded(|| self.0.next());
        next.unwrap_or_else(|message| Some(Err(ArrowError::ParseError(message))))
    }
}

/// A file that says of itself that it is Arrow IPC.
fn open(path: &Path) -> Result<Option<Opened>, SinkError> {
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    let mut magic = MAGIC;
    if file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
        return Ok(None);
    }
    let opened = guarded(|| FileReader::try_new(BufReader::new(file), None));
    Ok(Some(opened.map_err(ArrowError::ParseError).flatten()))
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
    check_file(&file, &metadata).map_err(|problem| SinkError::damaged_part(path, problem))?;
    Ok(TableRows {
        schema: reader.schema(),
        rows: Box::new(Batches(reader).map(|rows| rows.map_err(|error| damaged(path, error)))),
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
    if let Err(problem) = check_file(&file, &metadata) {
        // What is known to be wrong is not decoded: nobody knows what would come out.
        return Ok(wrong(problem));
    }
    let mut checked = Checked {
        rows: 0,
        problems: Vec::new(),
    };
    for batch in Batches(reader) {
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
