//! Reads everything in a file again, and compares it with its checksum.

use super::{
    super::{Checked, SinkError, hashed_file::hash},
    entries::{self, CONTENT_BYTES, CONTENT_HASH},
    file::{MAGIC, ParquetFile, damage},
    footer,
    group::Groups,
};
use ::parquet::{
    errors::ParquetError,
    file::metadata::{ParquetMetaData, RowGroupMetaData},
};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
    path::Path,
    sync::Arc,
};

/// Bytes that are read and hashed at a time.
const HASHED_BYTES: usize = 4 << 20;

/// Reads every value of a file.
///
/// # Errors
/// If the file cannot be opened.
pub(in super::super) fn check(path: &Path) -> Result<Checked, SinkError> {
    let wrong = |problem: String| Checked {
        rows: 0,
        problems: vec![problem],
    };
    let Some(file) = ParquetFile::open(path)? else {
        return Ok(wrong("is not a Parquet file".to_owned()));
    };
    let metadata = match file.metadata {
        Ok(metadata) => Arc::new(metadata),
        Err(error) => return Ok(wrong(damage(&error))),
    };
    let mut checked = Checked {
        rows: metadata.file_metadata().num_rows().unsigned_abs(),
        problems: Vec::new(),
    };
    match check_content(&file.file, &metadata) {
        // What is known to be wrong is not decoded: nobody knows what would come out.
        Err(problem) => checked.problems.push(problem),
        Ok(()) => match Groups::new(file.file, metadata) {
            Err(error) => checked.problems.push(format!("cannot be decoded: {error}")),
            Ok(groups) => checked.problems.extend(
                (0..groups.len()).filter_map(|n_group| check_row_group(&groups, n_group).err()),
            ),
        },
    }
    Ok(checked)
}

/// Compares the data with its checksum.
pub(super) fn check_content(mut file: &File, metadata: &ParquetMetaData) -> Result<(), String> {
    let ours = entries::ours(metadata).ok_or("was not written by runner")?;
    let number = |text: &String| text.parse::<u64>().ok();
    let (Some(n_bytes), Some(written)) = (
        ours.get(CONTENT_BYTES).and_then(number),
        ours.get(CONTENT_HASH),
    ) else {
        return Err("has no checksum".to_owned());
    };
    if end_of_data(metadata) != Some(n_bytes) {
        let message = "is damaged: its row groups do not fill the bytes that its checksum is of";
        return Err(message.to_owned());
    }
    let unread = |error: io::Error| format!("cannot be read: {error}");
    file.rewind().map_err(unread)?;
    let hasher = hash_of(file.take(n_bytes)).map_err(unread)?;
    let found = hasher.finalize().to_hex();
    match found.as_str() == written && hasher.count() == n_bytes {
        true => footer::check(file, n_bytes, &ours),
        false => Err(format!(
            "is damaged: its first {n_bytes} bytes have the checksum {found}, and were written with {written}"
        )),
    }
}

/// Hashes all bytes that there are: a piece while the next one is read.
fn hash_of(mut content: impl io::Read) -> io::Result<blake3::Hasher> {
    let mut hasher = blake3::Hasher::new();
    let mut pieces = [vec![0; HASHED_BYTES], vec![0; HASHED_BYTES]];
    let mut n_read = 0;
    loop {
        let [piece, next] = &mut pieces;
        let n_next = rayon::in_place_scope(|scope| {
            scope.spawn(|_| hash(&mut hasher, &piece[..n_read]));
            content.read(next)
        })?;
        if n_next == 0 {
            return Ok(hasher);
        }
        n_read = n_next;
        pieces.swap(0, 1);
    }
}

/// Where the last row group ends. `None` if there are gaps between the columns, as no writer leaves them,
/// or nonsense.
fn end_of_data(metadata: &ParquetMetaData) -> Option<u64> {
    let mut end = MAGIC.len() as i64;
    for column in metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
    {
        let start = column
            .dictionary_page_offset()
            .unwrap_or(column.data_page_offset());
        if start != end || column.compressed_size() < 0 {
            return None;
        }
        end = end.checked_add(column.compressed_size())?;
    }
    u64::try_from(end).ok()
}

/// Decodes a row group.
fn check_row_group(groups: &Groups, n_group: usize) -> Result<(), String> {
    let n_expected = groups.metadata().row_group(n_group).num_rows();
    let decode = || {
        let mut n_rows = 0;
        for batch in groups.read(n_group)? {
            n_rows += batch?.num_rows() as i64;
        }
        Ok(n_rows)
    };
    let place = format!("row group {} of {}", n_group + 1, groups.len());
    match decode() {
        Err::<_, ParquetError>(error) => Err(format!("{place} cannot be decoded: {error}")),
        Ok(n_rows) if n_rows != n_expected => {
            Err(format!("{place} has {n_rows} rows instead of {n_expected}"))
        }
        Ok(_) => Ok(()),
    }
}
