//! safetensors: a tensor a column of vectors, and the ids as bytes.
//!
//! `embedding`, or however a column is called, is `[n, d]`, and where a sequence has many vectors `[all of them, d]`;
//! then `<column>_offsets`, of n + 1 numbers, says which are whose. The ids follow each other in the bytes of `ids`,
//! where `ids_offsets` say: a list of texts in the metadata would have to be read as a whole to open the file.

mod rows;

pub(super) use rows::open;

use super::{
    CONTENT_BYTES, CONTENT_HASH, Files, checksum,
    column::{Number, VectorColumn, ids, vectors_alone},
    damaged,
    spool::{BUFFER_BYTES, Spool},
};
use crate::{
    file::{self, VERSION},
    job::{ExportOptions, OutputFormat},
    sink::{Checked, HashedFile, SinkError, TableWriter},
};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes that are kept for the header, whose text may end with blanks: what it says is known at the end.
const HEADER_BYTES: u64 = 16 << 10;
/// Bytes that say how long the text of the header is.
const LENGTH_BYTES: u64 = 8;
/// Where tensors begin, so that programs can read each of them in place.
const ALIGNMENT: u64 = 8;
/// No header is longer.
const MOST_HEADER_BYTES: u64 = 100_000_000;
const METADATA: &str = "__metadata__";
const IDS: &str = "ids";
const IDS_OFFSETS: &str = "ids_offsets";

struct SafetensorsWriter {
    file: File,
    /// Where the numbers of the first column go.
    data: BufWriter<HashedFile>,
    /// Those of more than two bytes before the others, so that all of them are aligned.
    columns: Vec<Column>,
    ids: Offset,
    n_sequences: u64,
}

/// A column of vectors on its way into a file.
struct Column {
    column: VectorColumn,
    /// Where numbers wait, if it is not the first one.
    spool: Option<Spool>,
    n_rows: u64,
    offsets: Option<Spool>,
}

/// Bytes with the ends of their pieces.
struct Offset {
    bytes: Spool,
    offsets: Spool,
}

/// Begins a file.
///
/// # Errors
/// - If there are no vectors, or others than vectors.
/// - If the file system refuses.
pub(super) fn begin(
    files: Files,
    options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let mut columns = vectors_alone(schema, OutputFormat::Safetensors, options)?;
    columns.sort_by_key(|column| std::cmp::Reverse(column.number.n_bytes()));
    let begin = move || -> io::Result<Box<dyn TableWriter>> {
        let mut main = files.main;
        main.seek(SeekFrom::Start(HEADER_BYTES))?;
        let folder = files.folder.as_deref();
        let offsets = || {
            let mut offsets = Spool::create(folder)?;
            offsets.write(&0_i64.to_le_bytes())?;
            Ok::<_, io::Error>(offsets)
        };
        let columns = columns.into_iter().enumerate().map(|(n, column)| {
            Ok(Column {
                spool: (n > 0).then(|| Spool::create(folder)).transpose()?,
                offsets: column.is_many.then(offsets).transpose()?,
                column,
                n_rows: 0,
            })
        });
        Ok(Box::new(SafetensorsWriter {
            columns: columns.collect::<io::Result<_>>()?,
            data: BufWriter::with_capacity(BUFFER_BYTES, HashedFile::new(main.try_clone()?)),
            file: main,
            ids: Offset {
                bytes: Spool::create(folder)?,
                offsets: offsets()?,
            },
            n_sequences: 0,
        }))
    };
    begin().map_err(SinkError::writing)
}

/// As [`Format::fits`](super::Format::fits).
pub(super) fn fits(schema: &Schema, options: &ExportOptions) -> Result<(), SinkError> {
    vectors_alone(schema, OutputFormat::Safetensors, options).map(drop)
}

impl TableWriter for SafetensorsWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        self.n_sequences += rows.num_rows() as u64;
        for id in ids(rows)?.iter().flatten() {
            self.ids.add(id).map_err(SinkError::writing)?;
        }
        for column in &mut self.columns {
            let bytes = column.column.bytes(rows)?;
            let written = match &mut column.spool {
                Some(spool) => spool.write(bytes),
                None => self.data.write_all(bytes),
            };
            written.map_err(SinkError::writing)?;
            for count in column.column.counts(rows)? {
                column.n_rows += count;
                if let Some(offsets) = &mut column.offsets {
                    let written = offsets.write(&(column.n_rows as i64).to_le_bytes());
                    written.map_err(SinkError::writing)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        self.end(metadata).map_err(SinkError::writing)
    }
}

impl Offset {
    fn add(&mut self, text: &str) -> io::Result<()> {
        self.bytes.write(text.as_bytes())?;
        self.offsets
            .write(&(self.bytes.n_bytes() as i64).to_le_bytes())
    }
}

impl SafetensorsWriter {
    fn end(self, metadata: &[(String, String)]) -> io::Result<()> {
        let Self {
            file,
            mut data,
            columns,
            mut ids,
            n_sequences,
        } = self;
        let mut tensors = Tensors::default();
        let mut offsets = Vec::new();
        for column in columns {
            let VectorColumn {
                name,
                number,
                width,
                ..
            } = column.column;
            let shape: Vec<_> = [column.n_rows]
                .into_iter()
                .chain(width.map(|n| n as u64))
                .collect();
            let dtype = match number {
                Number::F32 => "F32",
                Number::F16 => "F16",
            };
            let n_bytes = shape.iter().product::<u64>() * number.n_bytes() as u64;
            tensors.add(&name, dtype, &shape, n_bytes);
            if let Some(spool) = column.spool {
                spool.append_to(&mut data)?;
            }
            offsets.extend(column.offsets.map(|of| (format!("{name}_offsets"), of)));
        }
        // Bytes behind the last id are nobody's, and the numbers behind them are aligned.
        let n_more = (tensors.end + ids.bytes.n_bytes()).next_multiple_of(ALIGNMENT)
            - (tensors.end + ids.bytes.n_bytes());
        ids.bytes.write(&vec![0; n_more as usize])?;
        let n_bytes = ids.bytes.n_bytes();
        tensors.add(IDS, "U8", &[n_bytes], n_bytes);
        ids.bytes.append_to(&mut data)?;
        offsets.insert(0, (IDS_OFFSETS.to_owned(), ids.offsets));
        for (name, spool) in offsets {
            tensors.add(&name, "I64", &[n_sequences + 1], spool.n_bytes());
            spool.append_to(&mut data)?;
        }
        let data = data.into_inner().map_err(io::IntoInnerError::into_error)?;
        let content = [
            (CONTENT_BYTES.to_owned(), data.n_bytes().to_string()),
            (CONTENT_HASH.to_owned(), checksum::UNKNOWN.to_owned()),
        ];
        let entries = metadata.iter().cloned().chain(content);
        let entries: Map<_, _> = entries.map(|(key, value)| (key, value.into())).collect();
        tensors.entries.insert(METADATA.to_owned(), entries.into());
        let mut text = Value::from(tensors.entries).to_string().into_bytes();
        let needed = (LENGTH_BYTES + text.len() as u64).next_multiple_of(ALIGNMENT);
        let n_header = needed.max(HEADER_BYTES);
        if n_header > HEADER_BYTES {
            // Many processes have worked on it, and the header speaks of all of them.
            move_back(&file, n_header - HEADER_BYTES)?;
        }
        let n_text = n_header - LENGTH_BYTES;
        text.resize(usize::try_from(n_text).map_err(io::Error::other)?, b' ');
        let mut header = n_text.to_le_bytes().to_vec();
        header.append(&mut text);
        let digits = data.hash_with(&header);
        checksum::put(&mut header, &digits)?;
        file.write_all_at(&header, 0)
    }
}

/// What the header says of tensors.
#[derive(Default)]
struct Tensors {
    entries: Map<String, Value>,
    /// Where the last one ends.
    end: u64,
}

impl Tensors {
    fn add(&mut self, name: &str, dtype: &str, shape: &[u64], n_bytes: u64) {
        let begin = self.end;
        self.end += n_bytes;
        self.entries.insert(
            name.to_owned(),
            json!({ "dtype": dtype, "shape": shape, "data_offsets": [begin, self.end] }),
        );
    }
}

/// Makes room for a longer header.
fn move_back(file: &File, by: u64) -> io::Result<()> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; BUFFER_BYTES];
    while end > HEADER_BYTES {
        let n_bytes = (end - HEADER_BYTES).min(BUFFER_BYTES as u64);
        let piece = &mut buffer[..n_bytes as usize];
        end -= n_bytes;
        file.read_exact_at(piece, end)?;
        file.write_all_at(piece, end + by)?;
    }
    Ok(())
}

/// The header of a file, the file, and where the header ends.
type Header = (Map<String, Value>, File, u64);

/// The header of a file, and where it ends. Nothing, if it is no file of safetensors.
fn header(path: &Path) -> Result<Option<Header>, SinkError> {
    let refused = |error| SinkError::io("read", path, error);
    let mut file = file::open(path).map_err(refused)?;
    let mut length = [0; LENGTH_BYTES as usize];
    if file.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = u64::from_le_bytes(length);
    let n_bytes = file.metadata().map_err(refused)?.len();
    if length > MOST_HEADER_BYTES || n_bytes < LENGTH_BYTES + length {
        return Ok(None);
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(refused)?;
    let header = serde_json::from_slice(&text).ok();
    Ok(header.map(|header| (header, file, n_bytes - LENGTH_BYTES - length)))
}

fn entries(header: &Map<String, Value>) -> Option<BTreeMap<String, String>> {
    let entries = header.get(METADATA)?.as_object()?.iter();
    let entries: BTreeMap<_, _> = entries
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    entries.contains_key(VERSION).then_some(entries)
}

/// As [`Format::read_metadata`](super::Format::read_metadata).
pub(super) fn read_metadata(path: &Path) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    let Some((header, _, n_data)) = header(path)? else {
        return Ok(None);
    };
    let Some(entries) = entries(&header) else {
        return Ok(None);
    };
    let is_whole = entries
        .get(CONTENT_BYTES)
        .is_some_and(|bytes| *bytes == n_data.to_string());
    match is_whole {
        true => Ok(Some(entries)),
        false => Err(damaged(
            path,
            "it has not the size that it was written with",
        )),
    }
}

/// As [`Format::check`](super::Format::check).
pub(super) fn check(path: &Path) -> Result<Checked, SinkError> {
    let wrong = |problem: &str| Checked {
        rows: 0,
        problems: vec![problem.to_owned()],
    };
    let Some((header, file, n_data)) = header(path)? else {
        return Ok(wrong("is no file of safetensors, or was cut short"));
    };
    let Some(entries) = entries(&header) else {
        return Ok(wrong("was not written by runner"));
    };
    let n_offsets = header
        .get(IDS_OFFSETS)
        .and_then(|tensor| tensor["shape"][0].as_u64());
    let n_bytes = file
        .metadata()
        .map_err(|error| SinkError::io("read", path, error))?
        .len();
    let (data, said) = (n_bytes - n_data..n_bytes, 0..n_bytes - n_data);
    let checked = checksum::check(&file, &[data, said.clone()], said, &entries);
    Ok(Checked {
        rows: n_offsets.unwrap_or(1).saturating_sub(1),
        problems: checked.err().into_iter().collect(),
    })
}
