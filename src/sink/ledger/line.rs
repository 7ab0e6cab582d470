//! A line of a ledger: an entry as JSON, and its sum.

use super::{Entry, LedgerError, VERSION};
use serde::Deserialize;
use std::path::Path;

/// What stands between an entry and its sum, which is the last key of the object.
const BEFORE_SUM: &str = ",\"sum\":\"";
/// What a line ends with.
const AFTER_SUM: &str = "\"}";
/// Digits of a sum.
const N_DIGITS: usize = 16;

/// A line of a newer form may have anything in its header but this.
#[derive(Deserialize)]
struct Versioned {
    header: Version,
}

#[derive(Deserialize)]
struct Version {
    ledger: u32,
}

/// An entry with its sum, as JSON without a line feed.
pub(super) fn write(entry: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string(entry).expect("maps of texts and numbers are JSON");
    let closing = text.pop();
    assert_eq!(closing, Some('}'), "an entry is an object");
    let sum = sum(text.as_bytes());
    format!("{text}{BEFORE_SUM}{sum}{AFTER_SUM}")
}

/// The JSON object in front of a sum, if that is its sum.
pub(super) fn checked(line: &[u8]) -> Option<String> {
    let line = line.strip_suffix(AFTER_SUM.as_bytes())?;
    let (line, digits) = line.split_at_checked(line.len().checked_sub(N_DIGITS)?)?;
    let text = line.strip_suffix(BEFORE_SUM.as_bytes())?;
    if sum(text).as_bytes() != digits {
        return None;
    }
    let mut text = String::from_utf8(text.to_owned()).ok()?;
    text.push('}');
    Some(text)
}

/// The entry of a line, or nothing if it is damaged.
///
/// # Errors
/// It is the header of a newer form.
pub(super) fn entry(line: &[u8], path: &Path) -> Result<Option<Entry>, LedgerError> {
    let Some(text) = checked(line) else {
        return Ok(None);
    };
    if let Ok(versioned) = serde_json::from_str::<Versioned>(&text)
        && versioned.header.ledger > VERSION
    {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            version: versioned.header.ledger,
        });
    }
    Ok(match serde_json::from_str(&text) {
        Ok(Entry::Commit(commit)) if commit.from > commit.to => None,
        entry => entry.ok(),
    })
}

fn sum(text: &[u8]) -> String {
    blake3::hash(text).to_hex()[..N_DIGITS].to_owned()
}
