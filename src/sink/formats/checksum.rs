//! The checksum that a file has in itself: of all of it, with hyphens in place of the digits.

use super::CONTENT_HASH;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    ops::Range,
    os::unix::fs::FileExt as _,
};

/// What stands in place of the digits until they are known. It is no hash: that of no records is all zeros.
pub(in super::super) const UNKNOWN: &str =
    "----------------------------------------------------------------";

/// Puts the digits where [`UNKNOWN`] stands in what a file says of itself. Returns where that is.
///
/// # Errors
/// If it does not stand there.
pub(super) fn put(said: &mut [u8], digits: &str) -> io::Result<usize> {
    let at = find(said, UNKNOWN)
        .ok_or_else(|| io::Error::other("there is no place for the checksum"))?;
    said[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    Ok(at)
}

/// Compares a file with the checksum among what it says of itself, which stands in the bytes `said`. It is a hash of
/// `pieces`, one after the other.
pub(super) fn check(
    file: &File,
    pieces: &[Range<u64>],
    said: Range<u64>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), String> {
    let unread = |error: io::Error| format!("cannot be read: {error}");
    let written = metadata.get(CONTENT_HASH);
    let written = written.filter(|digits| digits.len() == UNKNOWN.len());
    let mut text = vec![0; usize::try_from(said.end - said.start).unwrap_or(0)];
    file.read_exact_at(&mut text, said.start).map_err(unread)?;
    let Some((written, at)) = written.and_then(|digits| Some((digits, find(&text, digits)?)))
    else {
        return Err("has no checksum".to_owned());
    };
    let found = hash(file, pieces, said.start + at as u64).map_err(unread)?;
    match found == *written {
        true => Ok(()),
        false => Err(format!(
            "is damaged: it has the checksum {found}, and was written with {written}"
        )),
    }
}

/// A hash of pieces of a file, with hyphens in place of the digits.
fn hash(mut file: &File, pieces: &[Range<u64>], digits_at: u64) -> io::Result<String> {
    let digits_end = digits_at + UNKNOWN.len() as u64;
    let mut hasher = blake3::Hasher::new();
    let mut add = |hasher: &mut blake3::Hasher, range: Range<u64>| {
        file.seek(SeekFrom::Start(range.start))?;
        hasher.update_reader(file.take(range.end.saturating_sub(range.start)))?;
        Ok::<_, io::Error>(())
    };
    for piece in pieces {
        if piece.contains(&digits_at) {
            add(&mut hasher, piece.start..digits_at)?;
            hasher.update(UNKNOWN.as_bytes());
            add(&mut hasher, digits_end..piece.end)?;
        } else {
            add(&mut hasher, piece.clone())?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn find(text: &[u8], digits: &str) -> Option<usize> {
    let mut windows = text.windows(digits.len());
    windows.position(|window| window == digits.as_bytes())
}
