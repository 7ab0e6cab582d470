//! scikit-bio's HDF5 that `embed` wrote: one matrix with the vectors of all sequences, and their ids.

use super::{Embeddings, EmbeddingsError, column::choose, hdf5_file::Hdf5File, npy::numbers};
use crate::hdf5::{Datatype, Object, Stream};
use std::io::Read as _;

/// Bytes of vectors that are read at a time, about.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Reads a file, of which the root is known, into `embeddings`.
///
/// # Errors
/// - It is not one of those, or was cut short.
/// - A sequence has not one vector.
pub(super) fn read(
    file: &Hdf5File,
    root: &Object,
    embeddings: &mut Embeddings,
) -> Result<(), EmbeddingsError> {
    let foreign = |message: &str| EmbeddingsError::foreign(&file.name, message.to_owned());
    let links = file.links(root)?;
    let dataset = |name: &str| {
        let link = links.iter().find(|(link, _)| link == name);
        let (_, address) = link.ok_or_else(|| foreign(&format!("has no dataset `{name}`")))?;
        file.of(|reader| reader.object(*address))
    };
    let columns = file.columns(root)?.ok_or_else(|| {
        let message = "does not say which columns it has, as those of older versions";
        EmbeddingsError::damaged(&file.name, message.to_owned())
    })?;
    let names = columns.iter().map(String::as_str);
    choose(names.clone(), embeddings.column(), &file.name)?
        .ok_or_else(|| EmbeddingsError::without_vectors(&file.name, names))?;
    let (vectors, ids, ends) = (dataset("embedding")?, dataset("name")?, dataset("nameptr")?);
    let (&[n_rows, width], &[n_ids]) = (vectors.shape.as_slice(), ends.shape.as_slice()) else {
        return Err(foreign("has datasets of another shape"));
    };
    let is_half = match vectors.datatype {
        Some(Datatype::F16) => true,
        Some(Datatype::F32) => false,
        _ => return Err(foreign("has no numbers in `embedding`")),
    };
    if n_rows != n_ids || width == 0 {
        return Err(foreign("has not one vector for each id"));
    }
    let width = usize::try_from(width).map_err(|_| foreign("has vectors that are too long"))?;
    let broken = |error: std::io::Error| {
        EmbeddingsError::damaged(&file.name, format!("cannot be read: {error}"))
    };
    let row_bytes = width * if is_half { 2 } else { 4 };
    let rows_at_once = (BYTES_AT_ONCE / row_bytes).max(1) as u64;
    let mut stream = file.of(|reader| reader.stream(&vectors))?;
    let mut n_left = n_rows;
    while n_left > 0 {
        let n_now = n_left.min(rows_at_once);
        n_left -= n_now;
        let mut bytes = vec![0; n_now as usize * row_bytes];
        stream.read_exact(&mut bytes).map_err(broken)?;
        embeddings.add_vectors(&numbers(&bytes, is_half), width);
    }
    let mut letters = file.of(|reader| reader.stream(&ids))?;
    let mut ends_of = file.of(|reader| reader.stream(&ends))?;
    let mut last = 0;
    for _ in 0..n_ids {
        let end = end(&mut ends_of, ends.datatype).map_err(broken)?;
        let n_bytes = u64::try_from(end - last).unwrap_or(0);
        last = end;
        let mut id = Vec::new();
        let read = (&mut letters).take(n_bytes).read_to_end(&mut id);
        read.map_err(broken)?;
        let id = String::from_utf8(id).map_err(|_| foreign("has ids that are not in UTF-8"))?;
        embeddings.add(id, "");
    }
    Ok(())
}

/// The next number of those that say where texts end.
fn end(ends: &mut Stream, datatype: Option<Datatype>) -> std::io::Result<i64> {
    if datatype == Some(Datatype::I32) {
        let mut bytes = [0; 4];
        ends.read_exact(&mut bytes)?;
        return Ok(i32::from_le_bytes(bytes).into());
    }
    let mut bytes = [0; 8];
    ends.read_exact(&mut bytes)?;
    Ok(i64::from_le_bytes(bytes))
}
