//! Logits in a folder of parts, read row by row.

use super::{EmbeddingsError, folder, opened};
use arrow_array::{Array, RecordBatch, StringArray, cast::AsArray, types::Float32Type};
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
};
use std::{
    path::{Path, PathBuf},
    vec,
};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 256;
/// The columns that are read.
const ID: &str = "id";
const LOGITS: &str = "logits";

/// The rows of a folder of parts with logits, in their order, of which few are in memory.
pub struct LogitRows {
    parts: vec::IntoIter<PathBuf>,
    part: Option<Part>,
    batch: Option<Batch>,
}

struct Part {
    name: String,
    rows: ParquetRecordBatchReader,
}

/// Rows that were decoded together.
struct Batch {
    rows: RecordBatch,
    /// Those that were given.
    n_given: usize,
}

impl LogitRows {
    /// The rows of the parts in `folder`.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, EmbeddingsError> {
        let paths = folder::paths(folder);
        let name = || folder.display().to_string();
        let paths = paths.map_err(|error| EmbeddingsError::unopened(&name(), &error))?;
        Ok(Self {
            parts: paths.into_iter(),
            part: None,
            batch: None,
        })
    }

    /// Puts the logits of the next row into `logits`, and gives its id.
    ///
    /// # Errors
    /// A part cannot be read, or has no logits.
    pub fn next(&mut self, logits: &mut Vec<f32>) -> Result<Option<String>, EmbeddingsError> {
        loop {
            if let Some(batch) = &mut self.batch
                && batch.n_given < batch.rows.num_rows()
            {
                let row = batch.n_given;
                batch.n_given += 1;
                let name = self.part.as_ref().map_or("", |part| &part.name);
                let id = read(&batch.rows, row, logits);
                let foreign = |message: &str| EmbeddingsError::foreign(name, message.to_owned());
                return id.map(Some).ok_or_else(|| foreign("holds no logits"));
            }
            let Some(part) = &mut self.part else {
                match self.parts.next() {
                    Some(path) => self.part = Some(Part::open(&path)?),
                    None => return Ok(None),
                }
                continue;
            };
            let Part { name, rows } = part;
            let broken = |error| EmbeddingsError::damaged(name, format!("is broken: {error}"));
            match opened::decoded(name, || rows.next().transpose().map_err(broken))? {
                Some(rows) => self.batch = Some(Batch { rows, n_given: 0 }),
                None => (self.part, self.batch) = (None, None),
            }
        }
    }
}

impl Part {
    fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        let (file, name) = opened::open(path)?;
        let rows = || {
            ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| {
                let columns = ProjectionMask::columns(builder.parquet_schema(), [ID, LOGITS]);
                builder
                    .with_projection(columns)
                    .with_batch_size(BATCH_ROWS)
                    .build()
            })
        };
        let broken = |error| EmbeddingsError::damaged(&name, format!("is broken: {error}"));
        let rows = opened::decoded(&name, || rows().map_err(broken))?;
        Ok(Self { name, rows })
    }
}

/// The id of a row, whose logits go to `logits`. Nothing, if these are no such columns.
fn read(rows: &RecordBatch, row: usize, logits: &mut Vec<f32>) -> Option<String> {
    let ids: &StringArray = rows.column_by_name(ID)?.as_string_opt()?;
    let lists = rows.column_by_name(LOGITS)?.as_list_opt::<i32>()?;
    let list = lists.value(row);
    let tokens = list.as_fixed_size_list_opt()?;
    let width = usize::try_from(tokens.value_length()).ok()?;
    let from = tokens.value_offset_at(0);
    let values = tokens.values().as_primitive_opt::<Float32Type>()?;
    logits.clear();
    logits.extend_from_slice(values.values().get(from..from + tokens.len() * width)?);
    Some(ids.value(row).to_owned())
}
