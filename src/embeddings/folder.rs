//! A folder of parts, read as one file.

use super::{Embeddings, EmbeddingsError, parquet, table::Source};
use crate::job::OutputFormat;
use std::path::{Path, PathBuf};

/// The parts of an output. There may be many, so they are opened when they are asked for.
#[derive(Debug)]
struct Parts {
    /// Each part with the number of its first row.
    parts: Vec<(usize, PathBuf)>,
}

/// Reads the parts in `folder` into `embeddings`, in the order of their names. What does not stay in
/// memory can be had from what is returned.
///
/// # Errors
/// - The folder cannot be read, or has no parts.
/// - A part cannot be read, or has vectors of another size than those before.
pub(super) fn read(
    folder: &Path,
    embeddings: &mut Embeddings,
) -> Result<Box<dyn Source>, EmbeddingsError> {
    let name = folder.display().to_string();
    let paths = paths(folder).map_err(|error| EmbeddingsError::unopened(&name, &error))?;
    if paths.is_empty() {
        let message = "is a folder in which no Parquet file is".to_owned();
        return Err(EmbeddingsError::foreign(&name, message));
    }
    let mut parts = Vec::with_capacity(paths.len());
    for path in paths {
        let first_row = embeddings.len();
        let before = embeddings.hidden_size();
        parquet::read(&path, embeddings)?;
        let size = embeddings.hidden_size();
        if first_row > 0 && size != before {
            return Err(EmbeddingsError::foreign(
                &path.display().to_string(),
                format!("has vectors of {size} components, and the parts before it of {before}"),
            ));
        }
        parts.push((first_row, path));
    }
    Ok(Box::new(Parts { parts }))
}

/// The parts in a folder, in the order of their names.
pub(super) fn paths(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ending = path.extension();
        if !is_hidden && ending.is_some_and(|ending| ending == OutputFormat::OF_PARTS.ending()) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Source for Parts {
    fn description(&self, row: usize) -> Result<String, EmbeddingsError> {
        let behind = self
            .parts
            .partition_point(|(first_row, _)| *first_row <= row);
        match behind.checked_sub(1).and_then(|part| self.parts.get(part)) {
            Some((first_row, path)) => parquet::open(path)?.description(row - first_row),
            None => Ok(String::new()),
        }
    }
}
