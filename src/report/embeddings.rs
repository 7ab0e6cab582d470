//! Embeddings read back from a Parquet file.

use crate::{fasta::InputError, file};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, cast::AsArray, types::Float32Type};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
        },
    },
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};
use std::{borrow::Cow, collections::HashMap, fs::File, os::unix::fs::FileExt as _, path::Path};

/// Bytes of rows, about, that are decoded at a time.
const BATCH_BYTES: i64 = 16 << 20;
/// Rows that are decoded at a time at most.
const MOST_BATCH_ROWS: i64 = 1024;
/// Bytes of descriptions that are kept in memory, or as many as the vectors take. Others, which are far
/// longer than those of proteins, are looked up in the file.
const DESCRIPTION_BYTES: usize = 64 << 20;

/// The embeddings of one file in memory: n vectors of h components.
#[derive(Debug, Default)]
pub struct Embeddings {
    ids: Vec<String>,
    /// The descriptions of the first rows, of all of them unless they are very long.
    descriptions: Vec<String>,
    n_description_bytes: usize,
    /// Where the other descriptions are.
    source: Option<Source>,
    /// `[n, h]`, row by row.
    vectors: Vec<f32>,
    hidden_size: usize,
    /// The first row of each id.
    rows: HashMap<String, usize>,
}

/// A file that stays open, so that it can be read again even where its name is gone.
#[derive(Debug)]
struct Source {
    file: File,
    metadata: ArrowReaderMetadata,
    /// As it was named, for errors.
    name: String,
}

impl PartialEq for Embeddings {
    /// Whether both hold the same ids and vectors.
    fn eq(&self, other: &Self) -> bool {
        self.ids == other.ids && self.vectors == other.vectors
    }
}

impl Embeddings {
    /// Reads the columns `id`, `description` and `embedding` of a file that `embed` wrote. If the
    /// file has several layers, the last one is read.
    ///
    /// # Errors
    /// - The file cannot be opened or is no Parquet file.
    /// - A column is missing or has another type.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::read_keeping(path, DESCRIPTION_BYTES)
    }

    /// Reads a file and keeps so many bytes of descriptions in memory.
    fn read_keeping(path: &Path, description_bytes: usize) -> Result<Self, InputError> {
        let name = path.display().to_string();
        let fail = |message: String| failure(&name, message);
        let file = file::open(path).map_err(|error| fail(format!("cannot be opened: {error}")))?;
        let open = || {
            let metadata = ArrowReaderMetadata::load(&file, Default::default())?;
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
                file.try_clone()?,
                metadata.clone(),
            )
            .with_batch_size(batch_rows(metadata.metadata()))
            .build()?;
            Ok((metadata, reader))
        };
        let (metadata, reader) = open().map_err(|error: ParquetError| {
            let mut magic = [0; 4];
            let is_parquet = file.read_exact_at(&mut magic, 0).is_ok() && magic == *b"PAR1";
            fail(match is_parquet {
                true => format!("is damaged, or a Parquet file that was cut short: {error}"),
                false => "is not a Parquet file".to_owned(),
            })
        })?;
        let mut embeddings = Self::default();
        for batch in reader {
            let batch = batch.map_err(|error| fail(format!("is broken: {error}")))?;
            embeddings.append(&batch, description_bytes).map_err(fail)?;
        }
        for (row, id) in embeddings.ids.iter().enumerate() {
            embeddings.rows.entry(id.clone()).or_insert(row);
        }
        embeddings.source = Some(Source {
            file,
            metadata,
            name,
        });
        Ok(embeddings)
    }

    /// One sequence that nobody embedded, as long as a script is only rehearsed.
    pub fn made_up(hidden_size: usize) -> Self {
        let id = "rehearsal".to_owned();
        Self {
            rows: HashMap::from([(id.clone(), 0)]),
            ids: vec![id],
            descriptions: vec!["a sequence that nobody embedded".to_owned()],
            vectors: vec![1.0; hidden_size],
            hidden_size,
            ..Self::default()
        }
    }

    fn append(&mut self, batch: &RecordBatch, description_bytes: usize) -> Result<(), String> {
        let ids = strings(batch, "id")?;
        let descriptions = strings(batch, "description")?;
        let (vectors, hidden_size) = vectors(batch)?;
        self.hidden_size = hidden_size;
        self.vectors.extend_from_slice(&vectors);
        let description_bytes = description_bytes.max(size_of_val(self.vectors.as_slice()));
        for (id, description) in ids.iter().zip(descriptions) {
            let description = description.unwrap_or_default();
            self.n_description_bytes += description.len();
            // Those in memory are of the first rows, without a gap.
            let is_next = self.descriptions.len() == self.ids.len();
            if is_next && self.n_description_bytes <= description_bytes {
                self.descriptions.push(description.to_owned());
            }
            self.ids.push(id.unwrap_or_default().to_owned());
        }
        Ok(())
    }

    /// Sequences.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Components of a vector, 0 if the file has no rows.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// The sequences' ids, in the order of the file.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The first row with this id.
    pub fn row(&self, id: &str) -> Option<usize> {
        self.rows.get(id).copied()
    }

    /// The definition line of a row, without its id.
    ///
    /// # Errors
    /// If it has to be read from the file, and that fails.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn description(&self, row: usize) -> Result<Cow<'_, str>, InputError> {
        assert!(row < self.len(), "there is no row {row}");
        match (self.descriptions.get(row), &self.source) {
            (Some(description), _) => Ok(Cow::Borrowed(description)),
            (None, Some(source)) => source.description(row).map(Cow::Owned),
            (None, None) => Ok(Cow::Borrowed("")),
        }
    }

    /// The vector of a row, `[h]`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.hidden_size..][..self.hidden_size]
    }

    /// The cosine of the angle between the vectors of two rows, 0 if one of them is zero.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn cosine(&self, a: usize, b: usize) -> f64 {
        let (a, b) = (self.vector(a), self.vector(b));
        let norms = dot(a, a).sqrt() * dot(b, b).sqrt();
        if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
    }

    /// The `n` other rows whose vectors have the smallest angle to that of `row`, with the cosine,
    /// the nearest first. Rows that are equally near keep the order of the file.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn nearest(&self, row: usize, n: usize) -> Vec<(usize, f64)> {
        let mut others: Vec<_> = (0..self.len())
            .filter(|other| *other != row)
            .map(|other| (other, self.cosine(row, other)))
            .collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        others.truncate(n);
        others
    }
}

impl Source {
    /// The description of a row, from the file.
    fn description(&self, row: usize) -> Result<String, InputError> {
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
        let batch = read().map_err(|error| failure(&self.name, format!("is broken: {error}")))?;
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
            .map_err(|message| failure(&self.name, message))
            .map(Option::unwrap_or_default)
    }
}

fn failure(file: &str, message: String) -> InputError {
    InputError {
        file: file.to_owned(),
        record: None,
        message,
        hint: Some("give a Parquet file that `embed` wrote".to_owned()),
    }
}

/// Rows to decode at a time: as many as usual, unless some of them are very long.
fn batch_rows(metadata: &ParquetMetaData) -> usize {
    let row_groups = metadata.row_groups().iter();
    let bytes_per_row = row_groups.map(|group| group.total_byte_size() / group.num_rows().max(1));
    let longest = bytes_per_row.max().unwrap_or(0).max(1);
    (BATCH_BYTES / longest).clamp(1, MOST_BATCH_ROWS) as usize
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
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

/// The vectors of a batch, row by row, and their number of components.
fn vectors(batch: &RecordBatch) -> Result<(Vec<f32>, usize), String> {
    let schema = batch.schema();
    let name = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .rfind(|name| *name == "embedding" || name.starts_with("embedding_"))
        .ok_or("has no column `embedding`")?;
    let wrong_type = || format!("column `{name}` does not hold vectors of 32-bit numbers");
    let lists = column(batch, name)?
        .as_fixed_size_list_opt()
        .ok_or_else(wrong_type)?;
    let hidden_size = usize::try_from(lists.value_length()).map_err(|_| wrong_type())?;
    let values = lists
        .values()
        .as_primitive_opt::<Float32Type>()
        .ok_or_else(wrong_type)?;
    // A sliced list array keeps all values; the rows of this batch are a part of them.
    let start = lists.value_offset_at(0);
    let values = &values.values()[start..start + lists.len() * hidden_size];
    Ok((values.to_vec(), hidden_size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::FixedSizeListArray;
    use parquet::arrow::ArrowWriter;
    use std::sync::Arc;

    /// A file with three vectors in a plane, the third nearer to the first.
    fn file(columns: &[&str]) -> tempfile::NamedTempFile {
        let planes = [[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]];
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
            planes.map(|vector| Some(vector.map(Some))),
            2,
        );
        let ids: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
        let descriptions: ArrayRef = Arc::new(StringArray::from(vec!["first", "", "third"]));
        let vectors: ArrayRef = Arc::new(vectors);
        let batch = RecordBatch::try_from_iter(columns.iter().map(|name| {
            let array = match *name {
                "id" => ids.clone(),
                "description" => descriptions.clone(),
                _ => vectors.clone(),
            };
            (*name, array)
        }))
        .expect("columns of one length");
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let mut writer =
            ArrowWriter::try_new(file.reopen().unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    #[test]
    fn neighbours_of_a_file() {
        let file = file(&["id", "description", "embedding"]);
        let embeddings = Embeddings::read(file.path()).unwrap();
        assert_eq!(embeddings.ids(), ["a", "b", "c"]);
        assert_eq!(embeddings.hidden_size(), 2);
        assert_eq!(embeddings.vector(2), [3.0, 1.0]);
        let row = embeddings.row("a").unwrap();
        let nearest = embeddings.nearest(row, 5);
        assert_eq!(nearest.iter().map(|n| n.0).collect::<Vec<_>>(), [2, 1]);
        assert!((nearest[0].1 - 3.0 / 10_f64.sqrt()).abs() < 1e-12);
        assert_eq!(embeddings.description(nearest[0].0).unwrap(), "third");
        assert_eq!(embeddings.nearest(row, 1).len(), 1);
        assert_eq!(embeddings.row("d"), None);
    }

    #[test]
    fn descriptions_without_room_in_memory_are_read_again() {
        let file = file(&["id", "description", "embedding"]);
        let mut embeddings = Embeddings::read_keeping(file.path(), 0).unwrap();
        let check = |embeddings: &Embeddings, n_kept: usize| {
            assert_eq!(embeddings.descriptions.len(), n_kept);
            let description = |row| embeddings.description(row).unwrap().into_owned();
            assert_eq!([0, 1, 2].map(description), ["first", "", "third"]);
        };
        // They are shorter than the vectors.
        check(&embeddings, 3);
        // The name may be gone meanwhile.
        drop(file);
        for n_kept in [2, 1, 0] {
            embeddings.descriptions.truncate(n_kept);
            check(&embeddings, n_kept);
        }
    }

    #[test]
    fn several_layers_and_files_of_others() {
        let check = |columns: &[&str], expect: Result<usize, &str>| {
            let file = file(columns);
            match (Embeddings::read(file.path()), expect) {
                (Ok(embeddings), Ok(n)) => assert_eq!(embeddings.len(), n),
                (Err(error), Err(expect)) => {
                    assert!(error.to_string().contains(expect), "{error}");
                }
                (result, _) => panic!("{columns:?}: {result:?}"),
            }
        };
        check(&["id", "description", "embedding_0", "embedding_6"], Ok(3));
        check(&["id", "description"], Err("has no column `embedding`"));
        check(&["description", "embedding"], Err("has no column `id`"));
    }

    #[test]
    fn what_is_no_parquet_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "id\tembedding\n").unwrap();
        let error = Embeddings::read(file.path()).unwrap_err();
        assert!(error.message.contains("is not a Parquet file"), "{error}");
        std::fs::write(file.path(), "PAR1 and no more").unwrap();
        let error = Embeddings::read(file.path()).unwrap_err();
        assert!(error.message.contains("was cut short"), "{error}");
        let error = Embeddings::read(Path::new("no/such.parquet")).unwrap_err();
        assert!(error.message.contains("cannot be opened"), "{error}");
    }
}
