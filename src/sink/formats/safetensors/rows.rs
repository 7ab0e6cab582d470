//! The rows of a file of safetensors of ours.

use super::{
    super::{
        damaged,
        flat::{Ends, Flat, FlatRows, Ids, exactly},
        spool::BUFFER_BYTES,
        stored::{StoredColumn, StoredTable},
    },
    IDS, IDS_OFFSETS, METADATA, header,
};
use crate::{
    file,
    job::{Form, OutputDtype},
    sink::SinkError,
};
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{self, BufReader, Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::Path,
};

/// How the name of the tensor ends that says where the rows of another one end.
const OFFSETS: &str = "_offsets";

/// A file that is read.
struct Reading<'a> {
    path: &'a Path,
    header: Map<String, Value>,
    /// Where tensors begin.
    data: u64,
}

/// As [`OpenStored`](super::super::stored::OpenStored).
pub(in super::super) fn open(path: &Path) -> Result<StoredTable, SinkError> {
    let wrong = |what: &str| damaged(path, what);
    let (header, file, n_data) = header(path)?.ok_or_else(|| wrong("its header is missing"))?;
    let n_bytes = file.metadata().map_err(|error| refused(path, error))?;
    let reading = Reading {
        path,
        header,
        data: n_bytes.len() - n_data,
    };
    let ids = reading.tensor(IDS_OFFSETS);
    let (_, shape, _) = ids.ok_or_else(|| wrong("it has no ids"))?;
    let n_left = shape.first().copied().unwrap_or(0).saturating_sub(1);
    let mut columns = Vec::new();
    let mut numbers = Vec::new();
    for name in reading.columns() {
        let column = reading
            .column(&name)
            .ok_or_else(|| wrong(&format!("its tensor `{name}` is none that was written")))?;
        let width = match column.form {
            Form::Vector(width) | Form::Vectors(width) => width,
            Form::Square | Form::Pairs => 1,
        };
        numbers.push(reading.flat(&name, width * column.dtype.bytes())?);
        columns.push(column);
    }
    Ok(StoredTable {
        columns,
        has_sequences: false,
        rows: Box::new(FlatRows {
            n_left,
            ids: Ids::Flat(reading.flat(IDS, 1)?),
            sequences: None,
            columns: numbers,
        }),
    })
}

fn refused(path: &Path, error: io::Error) -> SinkError {
    SinkError::io("read", path, error)
}

impl Reading<'_> {
    /// The format of a tensor's numbers, its shape, and where its bytes are.
    fn tensor(&self, name: &str) -> Option<(String, Vec<u64>, Range<u64>)> {
        let tensor = self.header.get(name)?;
        let numbers = |key: &str| -> Option<Vec<u64>> {
            let numbers = tensor.get(key)?.as_array()?.iter();
            numbers.map(Value::as_u64).collect()
        };
        let &[begin, end] = numbers("data_offsets")?.as_slice() else {
            return None;
        };
        let dtype = tensor.get("dtype")?.as_str()?.to_owned();
        Some((
            dtype,
            numbers("shape")?,
            self.data.checked_add(begin)?..self.data.checked_add(end)?,
        ))
    }

    /// The names of the columns, in the order in which they were written.
    fn columns(&self) -> Vec<String> {
        let names = self.header.keys();
        let names =
            names.filter(|name| *name != METADATA && *name != IDS && !name.ends_with(OFFSETS));
        let begins = names.filter_map(|name| Some((self.tensor(name)?.2.start, name)));
        let mut columns: Vec<_> = begins.collect();
        columns.sort();
        columns.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn column(&self, name: &str) -> Option<StoredColumn> {
        let (dtype, shape, _) = self.tensor(name)?;
        let dtype = match dtype.as_str() {
            "F32" => OutputDtype::F32,
            "F16" => OutputDtype::F16,
            _ => return None,
        };
        let has_offsets = self.header.contains_key(&format!("{name}{OFFSETS}"));
        let form = match (shape.as_slice(), has_offsets) {
            (&[_, width], false) => Form::Vector(usize::try_from(width).ok()?),
            (&[_, width], true) => Form::Vectors(usize::try_from(width).ok()?),
            (&[_], true) => Form::Square,
            _ => return None,
        };
        Some(StoredColumn {
            name: name.to_owned(),
            dtype,
            form,
        })
    }

    /// A tensor whose rows follow each other, in values of so many bytes.
    fn flat(&self, name: &str, value_bytes: usize) -> Result<Flat, SinkError> {
        let offsets = format!("{name}{OFFSETS}");
        let ends = match self.header.contains_key(&offsets) {
            false => None,
            true => {
                let mut offsets = self.bytes(&offsets)?;
                // The first row begins at 0.
                let zero: Result<[u8; 8], _> = exactly(&mut offsets);
                zero.map_err(|error| damaged(self.path, error))?;
                Some(Ends::new(Box::new(offsets), false))
            }
        };
        let values = self.bytes(name)?;
        Ok(Flat::new(Box::new(values), value_bytes, ends))
    }

    /// The bytes of a tensor.
    fn bytes(&self, name: &str) -> Result<io::Take<BufReader<File>>, SinkError> {
        let missing = || damaged(self.path, format!("its tensor `{name}` is missing"));
        let (_, _, range) = self.tensor(name).ok_or_else(missing)?;
        let open = || {
            let mut file = file::open(self.path)?;
            file.seek(SeekFrom::Start(range.start))?;
            let file = BufReader::with_capacity(BUFFER_BYTES, file);
            Ok(file.take(range.end.saturating_sub(range.start)))
        };
        open().map_err(|error| refused(self.path, error))
    }
}
