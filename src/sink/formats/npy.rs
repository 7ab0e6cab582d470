//! NumPy's format of a single array: the vectors of all sequences, one below the other.
//!
//! The array has no room for anything else, so files lie beside it: `.ids.txt`, the id of each row, a line each;
//! `.npy.json`, what the other formats say of themselves; and, where a sequence has many vectors, `.offsets.npy`:
//! n + 1 numbers, of which the first two say which rows of the array are those of the first sequence.

mod rows;

pub(super) use rows::open;

use super::{
    CONTENT_BYTES, CONTENT_HASH, Files, WRITTEN_AGAIN,
    card::{NPY_HEADER_BYTES, card_of, wrong_beside},
    check_content,
    column::{Number, VectorColumn, ids, vectors_alone},
    damaged,
    spool::BUFFER_BYTES,
};
use crate::{
    file::{self, Card, ends},
    hint::REPORT_IT,
    job::{ExportOptions, OutputFormat},
    sink::{Checked, HashedFile, SinkError, TableWriter},
};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
};

/// What every file begins with, in the version of the format that all readers know.
const MAGIC: &[u8; 8] = b"\x93NUMPY\x01\x00";
/// Bytes of the header before its text.
const BEFORE_TEXT: usize = MAGIC.len() + 2;
/// How the names of the files beside an array end.
const IDS: &str = ".ids.txt";
const OFFSETS: &str = ".offsets.npy";

/// An array on its way into a file.
struct Array {
    file: File,
    data: BufWriter<HashedFile>,
    /// The type of its numbers, as NumPy writes it.
    number: &'static str,
    /// Numbers in a row, if it has rows of several.
    width: Option<usize>,
    n_rows: u64,
}

/// What became of an array.
struct Written {
    file: File,
    n_bytes: u64,
    /// A hash of its numbers, and one of these and the header.
    hash: String,
    hash_with_header: String,
}

struct NpyWriter {
    column: VectorColumn,
    array: Array,
    ids: BufWriter<HashedFile>,
    offsets: Option<Array>,
    card: File,
    n_sequences: u64,
}

/// Begins a file for the one column of vectors.
///
/// # Errors
/// - If there is not one column.
/// - If the file system refuses.
pub(super) fn begin(
    files: Files,
    options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let column = one_column(schema, options)?;
    let mut beside = files.beside.into_iter();
    let mut next = || {
        beside.next().ok_or_else(|| SinkError::Unfit {
            message: "there is no file beside the array".to_owned(),
            hint: REPORT_IT.to_owned(),
        })
    };
    let ids = HashedFile::new(next()?);
    let number = match column.number {
        Number::F32 => "<f4",
        Number::F16 => "<f2",
    };
    let offsets = match column.is_many {
        false => None,
        true => {
            let mut offsets = Array::begin(next()?, "<i8", None).map_err(SinkError::writing)?;
            let first = offsets.write(&0_i64.to_le_bytes(), 1);
            first.map_err(SinkError::writing)?;
            Some(offsets)
        }
    };
    let card = next()?;
    let array = Array::begin(files.main, number, column.width).map_err(SinkError::writing)?;
    Ok(Box::new(NpyWriter {
        array,
        ids: BufWriter::new(ids),
        offsets,
        card,
        column,
        n_sequences: 0,
    }))
}

/// As [`Format::fits`](super::Format::fits).
pub(super) fn fits(schema: &Schema, options: &ExportOptions) -> Result<(), SinkError> {
    one_column(schema, options).map(drop)
}

fn one_column(schema: &Schema, options: &ExportOptions) -> Result<VectorColumn, SinkError> {
    let mut columns = vectors_alone(schema, OutputFormat::Npy, options)?;
    match columns.pop() {
        Some(column) if columns.is_empty() => Ok(column),
        last => {
            let names: Vec<_> = columns.iter().chain(&last).map(|of| &of.name).collect();
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            Err(SinkError::Unfit {
                message: format!(
                    "a `.npy` file is a single array, and there are {}",
                    names.join(", ")
                ),
                hint: "write `.parquet`, `.h5`, `.safetensors` or `.arrow`, which hold several columns; or export each \
                       column to a file of its own: `columns` of `export`, `--columns` of `runner export`"
                    .to_owned(),
            })
        }
    }
}

impl TableWriter for NpyWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        for id in ids(rows)?.iter().flatten() {
            if id.contains(['\n', '\r']) {
                return Err(SinkError::Unfit {
                    message: format!(
                        "the id {id:?} has a line break, and `{IDS}` has a line for each id"
                    ),
                    hint: "write `.safetensors`, `.arrow` or `.parquet`".to_owned(),
                });
            }
            writeln!(self.ids, "{id}").map_err(SinkError::writing)?;
        }
        let counts = self.column.counts(rows)?;
        let bytes = self.column.bytes(rows)?;
        self.n_sequences += counts.len() as u64;
        let written = self.array.write(bytes, counts.iter().sum());
        written.map_err(SinkError::writing)?;
        if let Some(offsets) = &mut self.offsets {
            let mut end = self.array.n_rows - counts.iter().sum::<u64>();
            for count in counts {
                end += count;
                let written = offsets.write(&(end as i64).to_le_bytes(), 1);
                written.map_err(SinkError::writing)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        let finish = || {
            let array = self.array.finish()?;
            let ids = self
                .ids
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            let mut beside = BTreeMap::from([(IDS.to_owned(), ids.hash())]);
            if let Some(offsets) = self.offsets {
                beside.insert(OFFSETS.to_owned(), offsets.finish()?.hash_with_header);
            }
            let content = [
                (CONTENT_BYTES.to_owned(), array.n_bytes.to_string()),
                (CONTENT_HASH.to_owned(), array.hash),
            ];
            let card = Card {
                rows: self.n_sequences,
                columns: vec![self.column.name],
                bytes: array.file.metadata()?.len(),
                ends_blake3: ends(&array.file)?,
                beside,
                metadata: metadata.iter().cloned().chain(content).collect(),
                blake3: String::new(),
            };
            card.write(&self.card)
        };
        finish().map_err(SinkError::writing)
    }
}

impl Array {
    /// Begins an empty file.
    fn begin(mut file: File, number: &'static str, width: Option<usize>) -> io::Result<Self> {
        file.seek(SeekFrom::Start(NPY_HEADER_BYTES as u64))?;
        let data = HashedFile::new(file.try_clone()?);
        Ok(Self {
            file,
            data: BufWriter::with_capacity(BUFFER_BYTES, data),
            number,
            width,
            n_rows: 0,
        })
    }

    fn write(&mut self, bytes: &[u8], n_rows: u64) -> io::Result<()> {
        self.n_rows += n_rows;
        self.data.write_all(bytes)
    }

    fn finish(self) -> io::Result<Written> {
        let data = self
            .data
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        let shape = match self.width {
            Some(width) => format!("({}, {width})", self.n_rows),
            None => format!("({},)", self.n_rows),
        };
        let mut text = format!(
            "{{'descr': '{}', 'fortran_order': False, 'shape': {shape}, }}",
            self.number
        );
        let n_blanks = NPY_HEADER_BYTES - BEFORE_TEXT - 1 - text.len();
        text.extend(std::iter::repeat_n(' ', n_blanks));
        text.push('\n');
        let n_text = u16::try_from(text.len()).map_err(io::Error::other)?;
        let header = [MAGIC.as_slice(), &n_text.to_le_bytes(), text.as_bytes()].concat();
        self.file.write_all_at(&header, 0)?;
        Ok(Written {
            file: self.file,
            n_bytes: data.n_bytes(),
            hash: data.hash(),
            hash_with_header: data.hash_with(&header),
        })
    }
}

/// As [`Format::read_metadata`](super::Format::read_metadata).
pub(super) fn read_metadata(path: &Path) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    let Some(card) = card_of(path)? else {
        return Ok(None);
    };
    match wrong_beside(path, &card).pop() {
        None => Ok(Some(card.metadata)),
        Some(message) => Err(SinkError::Damaged {
            path: path.to_owned(),
            message,
            hint: WRITTEN_AGAIN,
        }),
    }
}

/// As [`Format::check`](super::Format::check).
pub(super) fn check(path: &Path) -> Result<Checked, SinkError> {
    let refused = |error| SinkError::io("read", path, error);
    let Some(card) = card_of(path)? else {
        return Ok(Checked {
            rows: 0,
            problems: vec!["was not written by runner".to_owned()],
        });
    };
    let mut problems = Vec::new();
    let mut file = file::open(path).map_err(refused)?;
    let mut header = [0; NPY_HEADER_BYTES];
    let read = file.read_exact(&mut header);
    read.map_err(|error| damaged(path, error))?;
    if !header.starts_with(MAGIC) {
        problems.push("is no NumPy file any more".to_owned());
    }
    problems.extend(check_content(&file, &card.metadata).err());
    problems.extend(wrong_beside(path, &card));
    Ok(Checked {
        rows: n_ids(path).unwrap_or(card.rows),
        problems,
    })
}

/// How many ids lie beside an array.
fn n_ids(path: &Path) -> Option<u64> {
    let mut beside = OutputFormat::Npy.sidecars(path, false).into_iter();
    let ids = beside.find(|path| path.to_string_lossy().ends_with(IDS))?;
    let lines = BufReader::new(File::open(ids).ok()?).split(b'\n');
    Some(lines.count() as u64)
}
