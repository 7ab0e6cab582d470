//! What a finished folder holds, for other programs.

use super::{
    SinkError,
    ledger::{End, History, PartFile},
    place::Place,
};
use crate::file::{self, Keep};
use serde_json::json;

/// Writes the manifest of a folder, which is finished then.
///
/// # Errors
/// If the file system refuses.
pub(super) fn write(place: &Place, history: &History, end: &End) -> Result<(), SinkError> {
    let commits = history.commits.iter();
    let parts = commits.filter_map(|commit| {
        let PartFile {
            name,
            bytes,
            blake3,
        } = commit.file.as_ref()?;
        Some(json!({
            "file": name,
            "first_record": commit.from,
            "records": commit.to - commit.from,
            "rows": commit.rows,
            "bytes": bytes,
            "blake3": blake3,
        }))
    });
    let manifest = json!({
        "runner": env!("CARGO_PKG_VERSION"),
        "folder": place.output(),
        "format": history.header.format,
        "records": end.records,
        "rows": end.rows,
        "rejected": end.rejected,
        "input_fingerprint": end.hash,
        "finished": end.at,
        "identity": history.header.identity,
        "settings": history.stretches.last().map(|stretch| &stretch.settings),
        "parts": parts.collect::<Vec<_>>(),
    });
    let text = format!("{manifest:#}\n");
    file::replace(&place.manifest(), text.as_bytes(), Keep::Safely)?;
    Ok(())
}
