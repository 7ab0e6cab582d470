//! The entries that a Parquet file of ours has in its metadata.

use ::parquet::file::metadata::KeyValue;

/// Bytes up to the end of the last row group.
pub(super) const CONTENT_BYTES: &str = "runner.content_bytes";
/// The BLAKE3 hash of these bytes, in hexadecimal.
pub(super) const CONTENT_HASH: &str = "runner.content_blake3";

/// Entries as Parquet has them.
pub(super) fn key_values(entries: &[(String, String)]) -> impl Iterator<Item = KeyValue> + use<'_> {
    let entries = entries.iter();
    entries.map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
}

/// The entries about the data of a file, so many bytes with this hash.
pub(super) fn of_content(n_bytes: u64, hash: String) -> [KeyValue; 2] {
    [
        KeyValue::new(CONTENT_BYTES.to_owned(), n_bytes.to_string()),
        KeyValue::new(CONTENT_HASH.to_owned(), hash),
    ]
}
