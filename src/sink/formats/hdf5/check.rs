//! What a file says of itself, and whether it is what was written.

use super::{super::VERSION, attributes::ROWS};
use crate::{
    file,
    hdf5::{COLUMNS, ReadError, Reader},
    sink::{Checked, SinkError},
};
use std::{collections::BTreeMap, path::Path};

/// What the names of this program's entries begin with.
const OURS: &str = "runner.";

/// As [`Format::read_metadata`](super::super::Format::read_metadata).
pub(in super::super) fn read_metadata(
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    metadata(file).map_err(|error| match error {
        ReadError::Io(error) => SinkError::io("read", path, error),
        damage => SinkError::Damaged {
            path: path.to_owned(),
            message: damage.to_string(),
            hint: "set `overwrite: true` to have it written again, or choose another output",
        },
    })
}

fn metadata(file: std::fs::File) -> Result<Option<BTreeMap<String, String>>, ReadError> {
    let Some(reader) = Reader::open(file)? else {
        return Ok(None);
    };
    let texts = reader.texts(&reader.root()?)?;
    let entries: BTreeMap<_, _> = texts
        .into_iter()
        // These two are about this very file, and not about the output.
        .filter(|(name, _)| name.starts_with(OURS) && ![ROWS, COLUMNS].contains(&name.as_str()))
        .collect();
    Ok(entries.contains_key(VERSION).then_some(entries))
}

/// As [`Format::check`](super::super::Format::check).
pub(in super::super) fn check(path: &Path) -> Result<Checked, SinkError> {
    let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
    let mut rows = 0;
    let compare = || {
        let Some(reader) = Reader::open(file)? else {
            return Ok(Some("was not written by runner".to_owned()));
        };
        let root = reader.root()?;
        let n_rows = reader.text(&root, ROWS)?.and_then(|text| text.parse().ok());
        rows = n_rows.unwrap_or(0);
        Ok(match reader.checksums()? {
            None => Some("has no checksum".to_owned()),
            Some((written, found)) if written != found => Some(format!(
                "is damaged: it has the checksum {found}, and was written with {written}"
            )),
            Some(_) => None,
        })
    };
    let problem = compare().unwrap_or_else(|error: ReadError| Some(error.to_string()));
    Ok(Checked {
        rows,
        problems: problem.into_iter().collect(),
    })
}
