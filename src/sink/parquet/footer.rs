//! The checksum of what comes behind the data of a file: what it says of itself, in which the checksum stands.

use super::entries::{BOTH, CHECKSUMS, FOOTER_HASH};
use crate::sink::formats::UNKNOWN;
use std::{collections::BTreeMap, fs::File, io, os::unix::fs::FileExt as _};

/// Puts the checksum into the bytes behind the data: a hash of these, with hyphens in place of its digits.
///
/// # Errors
/// If there is no place for it.
pub(super) fn seal(footer: &mut [u8]) -> io::Result<()> {
    let digits = blake3::hash(footer).to_hex();
    let at = find(footer, UNKNOWN.as_bytes())
        .ok_or_else(|| io::Error::other("there is no place for the checksum"))?;
    footer[at..at + digits.len()].copy_from_slice(digits.as_bytes());
    Ok(())
}

/// Compares the bytes behind the data with the checksum among what a file says of itself.
pub(super) fn check(
    file: &File,
    n_data: u64,
    ours: &BTreeMap<String, String>,
) -> Result<(), String> {
    let digits = match (ours.get(FOOTER_HASH), ours.get(CHECKSUMS)) {
        (None, None) => return Ok(()),
        (Some(digits), Some(both)) if digits.len() == UNKNOWN.len() && both == BOTH => digits,
        _ => return Err("is damaged: the checksum of its footer is not whole".to_owned()),
    };
    let footer = || {
        let n_bytes = file.metadata()?.len().saturating_sub(n_data);
        let mut footer = vec![0; usize::try_from(n_bytes).unwrap_or(0)];
        file.read_exact_at(&mut footer, n_data)?;
        Ok::<_, io::Error>(footer)
    };
    let mut footer = footer().map_err(|error| format!("cannot be read: {error}"))?;
    if let Some(at) = find(&footer, digits.as_bytes()) {
        footer[at..at + digits.len()].copy_from_slice(UNKNOWN.as_bytes());
    }
    let found = blake3::hash(&footer).to_hex();
    match found.as_str() == digits {
        true => Ok(()),
        false => Err(format!(
            "is damaged: its footer has the checksum {found}, and was written with {digits}"
        )),
    }
}

/// The last place of the digits: statistics of columns come before them, in which there may be any text.
fn find(footer: &[u8], digits: &[u8]) -> Option<usize> {
    let mut windows = footer.windows(digits.len());
    windows.rposition(|window| window == digits)
}
