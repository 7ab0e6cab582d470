//! The entries in the metadata of a Parquet file, of which those of this program are called `runner.…`.

use crate::sink::formats::UNKNOWN;
use ::parquet::file::metadata::{KeyValue, ParquetMetaData};
use std::collections::BTreeMap;

/// What the keys of this program begin with.
const OURS: &str = "runner.";
/// The entry that every file of this program has.
const VERSION: &str = "runner.version";
/// Bytes up to the end of the last row group.
pub(super) const CONTENT_BYTES: &str = "runner.content_bytes";
/// The BLAKE3 hash of these bytes, in hexadecimal.
pub(super) const CONTENT_HASH: &str = "runner.content_blake3";

/// The BLAKE3 hash of all bytes behind these, with hyphens in place of its digits.
pub(super) const FOOTER_HASH: &str = "runner.footer_blake3";
/// Of what there are checksums.
pub(super) const CHECKSUMS: &str = "runner.checksums";

/// What a file says that has both checksums. One that has lost either of the two entries is damaged; one that has
/// neither is of an older version.
pub(super) const BOTH: &str = "data, footer";

/// Entries as Parquet has them.
pub(super) fn key_values(entries: &[(String, String)]) -> impl Iterator<Item = KeyValue> + use<'_> {
    let entries = entries.iter();
    entries.map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
}

/// The entries about the data of a file, so many bytes with this hash, and about what is said of them, whose hash is
/// not known yet.
pub(super) fn of_content(n_bytes: u64, hash: String) -> [KeyValue; 4] {
    [
        KeyValue::new(CHECKSUMS.to_owned(), BOTH.to_owned()),
        KeyValue::new(CONTENT_BYTES.to_owned(), n_bytes.to_string()),
        KeyValue::new(CONTENT_HASH.to_owned(), hash),
        KeyValue::new(FOOTER_HASH.to_owned(), UNKNOWN.to_owned()),
    ]
}

/// The entries of this program. `None` if it did not write the file.
pub(super) fn ours(metadata: &ParquetMetaData) -> Option<BTreeMap<String, String>> {
    let entries: BTreeMap<_, _> = all(metadata)
        .filter(|entry| entry.key.starts_with(OURS))
        .map(|entry| (entry.key.clone(), entry.value.clone().unwrap_or_default()))
        .collect();
    entries.contains_key(VERSION).then_some(entries)
}

/// The entries of the Parquet writer, such as the types of the columns as Arrow calls them.
pub(super) fn of_writer(metadata: &ParquetMetaData) -> Vec<KeyValue> {
    let others = all(metadata).filter(|entry| !entry.key.starts_with(OURS));
    others.cloned().collect()
}

fn all(metadata: &ParquetMetaData) -> impl Iterator<Item = &KeyValue> {
    let entries = metadata.file_metadata().key_value_metadata();
    entries.into_iter().flatten()
}
