//! Files of safetensors that `embed` wrote: a tensor a column, and the ids as bytes.

use super::{Embeddings, EmbeddingsError, column::choose, npy::numbers, opened};
use serde_json::{Map, Value};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

/// Bytes that say how long the header is.
const LENGTH_BYTES: usize = 8;
/// No header is longer.
const MOST_HEADER_BYTES: u64 = 100_000_000;
/// Bytes of vectors that are read at a time, about.
const BYTES_AT_ONCE: usize = 4 << 20;

/// A tensor that the header speaks of.
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    begin: u64,
    end: u64,
}

/// A file that is read.
struct Reading {
    file: File,
    header: Map<String, Value>,
    /// Where tensors begin.
    data: u64,
}

/// Whether a file that begins so may be one of safetensors.
pub(super) fn may_be(begin: &[u8]) -> bool {
    begin.get(LENGTH_BYTES) == Some(&b'{')
}

/// Reads a file, which has no descriptions, into `embeddings`.
///
/// # Errors
/// - The file cannot be opened, or is not one of those.
/// - A sequence has not one vector.
pub(super) fn read(path: &Path, embeddings: &mut Embeddings) -> Result<(), EmbeddingsError> {
    let (file, name) = opened::open(path)?;
    let foreign = |message: &str| EmbeddingsError::foreign(&name, message.to_owned());
    let reading = Reading::open(file).ok_or_else(|| foreign("is no file of safetensors"))?;
    let ids = reading.ids();
    let ids = ids.ok_or_else(|| foreign("has no `ids`, or has damaged ones"))?;
    let columns = reading.columns();
    let columns = columns.iter().map(String::as_str);
    let column = choose(columns.clone(), embeddings.column(), &name)?;
    let column = column.ok_or_else(|| EmbeddingsError::without_vectors(&name, columns))?;
    let vectors = reading.tensor(column);
    let vectors = vectors.ok_or_else(|| foreign("has damaged vectors"))?;
    let &[n_rows, width] = vectors.shape.as_slice() else {
        return Err(foreign("has vectors of another shape"));
    };
    let is_half = vectors.dtype == "F16";
    let row_bytes = width * if is_half { 2 } else { 4 };
    let fits = n_rows.checked_mul(row_bytes).map(|n| n as u64) == Some(vectors.end - vectors.begin);
    if !fits || row_bytes == 0 || n_rows != ids.len() || (!is_half && vectors.dtype != "F32") {
        return Err(foreign("has vectors of another shape"));
    }
    let mut row = 0;
    while row < n_rows {
        let n = (BYTES_AT_ONCE / row_bytes).max(1).min(n_rows - row);
        let begin = vectors.begin + (row * row_bytes) as u64;
        let bytes = reading.bytes(begin, begin + (n * row_bytes) as u64);
        let bytes = bytes
            .map_err(|error| EmbeddingsError::damaged(&name, format!("cannot be read: {error}")))?;
        embeddings.add_vectors(&numbers(&bytes, is_half), width);
        row += n;
    }
    for id in ids {
        embeddings.add(id, "");
    }
    Ok(())
}

impl Reading {
    fn open(mut file: File) -> Option<Self> {
        let mut length = [0; LENGTH_BYTES];
        file.read_exact(&mut length).ok()?;
        let length = u64::from_le_bytes(length);
        if length > MOST_HEADER_BYTES || length > file.metadata().ok()?.len() {
            return None;
        }
        let mut text = vec![0; usize::try_from(length).ok()?];
        file.read_exact(&mut text).ok()?;
        Some(Self {
            file,
            header: serde_json::from_slice(&text).ok()?,
            data: LENGTH_BYTES as u64 + length,
        })
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        let tensor = self.header.get(name)?;
        let numbers = |key: &str| -> Option<Vec<u64>> {
            let numbers = tensor.get(key)?.as_array()?.iter();
            numbers.map(Value::as_u64).collect()
        };
        let &[begin, end] = numbers("data_offsets")?.as_slice() else {
            return None;
        };
        let n_bytes = self.file.metadata().ok()?.len() - self.data;
        let shape = numbers("shape")?
            .into_iter()
            .map(|n| usize::try_from(n).ok());
        (begin <= end && end <= n_bytes).then_some(Tensor {
            dtype: tensor.get("dtype")?.as_str()?.to_owned(),
            shape: shape.collect::<Option<_>>()?,
            begin,
            end,
        })
    }

    /// The columns, in the order in which they were written.
    fn columns(&self) -> Vec<String> {
        let names = self.header.keys();
        let names = names.filter(|name| *name != "ids" && !name.ends_with("_offsets"));
        let begins = names.filter_map(|name| Some((self.tensor(name)?.begin, name.clone())));
        let mut columns: Vec<_> = begins.collect();
        columns.sort();
        columns.into_iter().map(|(_, name)| name).collect()
    }

    fn ids(&self) -> Option<Vec<String>> {
        let bytes_of = |name: &str| {
            let tensor = self.tensor(name)?;
            self.bytes(tensor.begin, tensor.end).ok()
        };
        let (bytes, offsets) = (bytes_of("ids")?, bytes_of("ids_offsets")?);
        let offsets = offsets.as_chunks::<8>().0.iter();
        let offsets: Vec<_> = offsets
            .map(|bytes| usize::try_from(i64::from_le_bytes(*bytes)).ok())
            .collect::<Option<_>>()?;
        let ids = offsets.windows(2).map(|pair| {
            let id = bytes.get(pair[0]..pair[1])?;
            String::from_utf8(id.to_vec()).ok()
        });
        ids.collect()
    }

    fn bytes(&self, begin: u64, end: u64) -> io::Result<Vec<u8>> {
        let n_bytes = usize::try_from(end - begin).map_err(io::Error::other)?;
        let mut bytes = vec![0; n_bytes];
        self.file.read_exact_at(&mut bytes, self.data + begin)?;
        Ok(bytes)
    }
}
