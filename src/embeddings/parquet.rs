//! Parquet files that `embed` wrote: columns `id`, `description`, and a column of vectors a layer.

use super::{Embeddings, EmbeddingsError, column::choose, opened, table::Source};
use crate::file::guarded;
use arrow_array::{
    Array, ArrayRef, RecordBatch, RecordBatchReader as _, StringArray,
    cast::AsArray,
    types::{Float16Type, Float32Type},
};
use arrow_schema::Schema;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
            RowSelection, RowSelector,
        },
    },
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};
use std::{fs::File, os::unix::fs::FileExt as _, path::Path};

/// Bytes of rows, about, that are decoded at a time.
const BATCH_BYTES: i64 = 16 << 20;
/// Rows that are decoded at a time at most.
const MOST_BATCH_ROWS: i64 = 1024;

/// A file that stays open, so that it can be read again even where its name is gone.
#[derive(Debug)]
struct ParquetFile {
    file: File,
    metadata: ArrowReaderMetadata,
    /// As it was named, for errors.
    name: String,
}

/// Opens a file.
///
/// # Errors
/// The file cannot be opened or is no Parquet file.
pub(super) fn open(path: &Path) -> Result<Box<dyn Source>, EmbeddingsError> {
    Ok(Box::new(ParquetFile::open(path)?))
}

/// Reads a file into `embeddings`. What does not stay in memory can be had from what is returned.
///
/// # Errors
/// - The file cannot be opened or is no Parquet file.
/// - A column is missing or has another type.
pub(super) fn read(
    path: &Path,
    embeddings: &mut Embeddings,
) -> Result<Box<dyn Source>, EmbeddingsError> {
    let file = ParquetFile::open(path)?;
    opened::decoded(&file.name, || {
        let reader = file.reader().map_err(|error| file.broken(&error))?;
        column_of(&reader.schema(), embeddings.column(), &file.name)?;
        for batch in reader {
            let batch = batch.map_err(|error| file.broken(&error.into()))?;
            append(&batch, embeddings, &file.name)?;
        }
        Ok(())
    })?;
    Ok(Box::new(file))
}

impl ParquetFile {
    fn open(path: &Path) -> Result<Self, EmbeddingsError> {
        let (file, name) = opened::open(path)?;
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, Default::default()));
        let metadata = metadata.map_err(ParquetError::General).flatten();
        let metadata = metadata.map_err(|error| {
            let mut magic = [0; 4];
            let is_parquet = file.read_exact_at(&mut magic, 0).is_ok() && magic == *b"PAR1";
            match is_parquet {
                true => EmbeddingsError::damaged(
                    &name,
                    format!("is damaged, or a Parquet file that was cut short: {error}"),
                ),
                false => EmbeddingsError::foreign(&name, "is not a Parquet file".to_owned()),
            }
        })?;
        opened::check_compression(&name, metadata.metadata())?;
        Ok(Self {
            file,
            metadata,
            name,
        })
    }

    /// Reads the rows from the first one on.
    fn reader(&self) -> Result<ParquetRecordBatchReader, ParquetError> {
        let file = self.file.try_clone()?;
        ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_batch_size(batch_rows(self.metadata.metadata()))
            .build()
    }

    fn broken(&self, error: &ParquetError) -> EmbeddingsError {
        EmbeddingsError::damaged(&self.name, format!("is broken: {error}"))
    }
}

/// Takes the rows of a batch of the file of that name.
///
/// # Errors
/// A column is missing or has another type, or it is not clear which of several is to be read.
pub(super) fn append(
    batch: &RecordBatch,
    embeddings: &mut Embeddings,
    name: &str,
) -> Result<(), EmbeddingsError> {
    let schema = batch.schema();
    let column = column_of(&schema, embeddings.column(), name)?;
    let added = add(batch, column, embeddings);
    added.map_err(|message| EmbeddingsError::foreign(name, message))
}

/// The column of vectors to read of the file of that name, whether it has rows or not.
///
/// # Errors
/// There is none, or it is not clear which of several is to be read.
pub(super) fn column_of<'a>(
    schema: &'a Schema,
    wanted: Option<&str>,
    name: &str,
) -> Result<&'a str, EmbeddingsError> {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let column = choose(names.clone(), wanted, name)?;
    column.ok_or_else(|| EmbeddingsError::without_vectors(name, names))
}

/// Takes the rows of a batch, and their vectors out of a column of that name.
fn add(batch: &RecordBatch, column: &str, embeddings: &mut Embeddings) -> Result<(), String> {
    let ids = strings(batch, "id")?;
    let descriptions = strings(batch, "description")?;
    let (vectors, hidden_size) = vectors(batch, column)?;
    embeddings.add_vectors(&vectors, hidden_size);
    for (id, description) in ids.iter().zip(descriptions) {
        let id = id.unwrap_or_default().to_owned();
        embeddings.add(id, description.unwrap_or_default());
    }
    Ok(())
}

impl Source for ParquetFile {
    fn description(&self, row: usize) -> Result<String, EmbeddingsError> {
        let read = || {
            let columns = self.metadata.parquet_schema();
            let only = ProjectionMask::columns(columns, ["description"]);
            let selectors = vec![RowSelector::skip(row), RowSelector::select(1)];
            ParquetRecordBatchReaderBuilder::new_with_metadata(
                self.file.try_clone()?,
                self.metadata.clone(),
            )
            .with_projection(only)
            .with_row_selection(RowSelection::from(selectors))
            .with_batch_size(1)
            .build()?
            .next()
            .transpose()
            .map_err(ParquetError::from)
        };
        let read = || read().map_err(|error| self.broken(&error));
        let batch = opened::decoded(&self.name, read)?;
        let description = batch.as_ref().map(|batch| {
            let descriptions = strings(batch, "description")?;
            Ok(descriptions
                .iter()
                .flatten()
                .next()
                .unwrap_or_default()
                .to_owned())
        });
        description
            .transpose()
            .map_err(|message| EmbeddingsError::foreign(&self.name, message))
            .map(Option::unwrap_or_default)
    }
}

/// Rows to decode at a time: as many as usual, unless some of them are very long.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let row_groups = metadata.row_groups().iter();
    let bytes_per_row = row_groups.map(|group| group.total_byte_size() / group.num_rows().max(1));
    let longest = bytes_per_row.max().unwrap_or(0).max(1);
    (BATCH_BYTES / longest).clamp(1, MOST_BATCH_ROWS) as usize
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, String> {
    batch
        .column_by_name(name)
        .ok_or_else(|| format!("has no column `{name}`"))
}

fn strings<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, String> {
    column(batch, name)?
        .as_string_opt::<i32>()
        .ok_or_else(|| format!("column `{name}` does not hold strings"))
}

/// The vectors of a batch in a column, row by row, and their number of components.
fn vectors(batch: &RecordBatch, name: &str) -> Result<(Vec<f32>, usize), String> {
    let wrong_type =
        || format!("column `{name}` does not hold vectors of numbers of 16 or 32 bits");
    let lists = column(batch, name)?
        .as_fixed_size_list_opt()
        .ok_or_else(wrong_type)?;
    let hidden_size = usize::try_from(lists.value_length()).map_err(|_| wrong_type())?;
    // A sliced list array keeps all values; the rows of this batch are a part of them.
    let start = lists.value_offset_at(0);
    let range = start..start + lists.len() * hidden_size;
    let values = lists.values();
    if let Some(values) = values.as_primitive_opt::<Float32Type>() {
        return Ok((values.values()[range].to_vec(), hidden_size));
    }
    let halves = values
        .as_primitive_opt::<Float16Type>()
        .ok_or_else(wrong_type)?;
    let values = halves.values()[range].iter().map(|value| value.to_f32());
    Ok((values.collect(), hidden_size))
}
