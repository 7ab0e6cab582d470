//! Contacts in an output, read sequence by sequence.

use super::{EmbeddingsError, arrow, folder, hdf5, npy, opened, read::begin_of};
use crate::{file, job::ContactPairs, text::printable_line};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Float32Type, UInt32Type},
};
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection, RowSelector},
    },
    errors::ParquetError,
};
use std::{
    io::BufReader,
    path::{Path, PathBuf},
    vec,
};

/// Rows that are decoded at a time: each may have millions of numbers.
const BATCH_ROWS: usize = 4;
/// Rows of which the ids are looked at together.
const IDS_AT_ONCE: usize = 4096;
/// The columns that are read: of both forms in which contacts are written.
const COLUMNS: [&str; 6] = ["id", "length", "contacts", "i", "j", "probability"];
/// What an output says of the pairs in it.
const THRESHOLD: &str = "runner.threshold";
const MIN_SEPARATION: &str = "runner.min_separation";
/// What every Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

/// The numbers of two residues, from 1 on, and how probable it is that they are in contact.
pub type ContactPair = (u32, u32, f32);

/// What is known of the contacts of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct SequenceContacts {
    /// The sequence.
    pub id: String,
    /// Its residues, from the first one on as far as the model was given them.
    pub n_residues: usize,
    /// The pairs of residues that were written, with i < j from 1 on, and their probabilities.
    pub pairs: Vec<ContactPair>,
    /// Which pairs were written, if not all.
    pub rule: Option<ContactPairs>,
}

/// The rows of an output with contacts, in their order.
pub struct ContactRows {
    /// The sequence that is asked for, if it is one.
    only: Option<String>,
    parts: vec::IntoIter<PathBuf>,
    part: Option<Part>,
    rows: vec::IntoIter<SequenceContacts>,
}

/// A file with some of the rows.
struct Part {
    name: String,
    rule: Option<ContactPairs>,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
}

impl SequenceContacts {
    /// What is impossible about the pairs, if that is so.
    fn oddity(&self) -> Option<String> {
        let is_odd = |&&(i, j, probability): &&ContactPair| {
            let is_pair = 1 <= i && i < j && j as usize <= self.n_residues;
            !is_pair || !(0.0..=1.0).contains(&probability)
        };
        let (i, j, probability) = self.pairs.iter().find(is_odd)?;
        let (id, n_residues) = (printable_line(&self.id), self.n_residues);
        Some(format!(
            "`{id}` of {n_residues} residues has a contact of {i} and {j} with the probability {probability}"
        ))
    }
}

impl ContactRows {
    /// The rows of the Parquet or Arrow file at `path`, or of the parts in the folder: all, or those of one sequence.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn open(path: &Path, only: Option<&str>) -> Result<Self, EmbeddingsError> {
        let parts = match path.is_dir() {
            false => vec![path.to_owned()],
            true => folder::paths(path)
                .map_err(|error| EmbeddingsError::unopened(&path.display().to_string(), &error))?,
        };
        Ok(Self {
            only: only.map(str::to_owned),
            parts: parts.into_iter(),
            part: None,
            rows: Vec::new().into_iter(),
        })
    }

    /// The next row, if there is one.
    ///
    /// # Errors
    /// A part cannot be read, or has no contacts.
    pub fn next_row(&mut self) -> Result<Option<SequenceContacts>, EmbeddingsError> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            let Some(part) = &mut self.part else {
                match self.parts.next() {
                    Some(path) => self.part = Part::open(&path, self.only.as_deref())?,
                    None => return Ok(None),
                }
                continue;
            };
            match part.next_rows()? {
                Some(mut rows) => {
                    rows.retain(|row| self.only.as_ref().is_none_or(|only| *only == row.id));
                    self.rows = rows.into_iter();
                }
                None => self.part = None,
            }
        }
    }
}

impl Part {
    /// The next rows.
    fn next_rows(&mut self) -> Result<Option<Vec<SequenceContacts>>, EmbeddingsError> {
        let Self {
            name,
            rule,
            batches,
        } = self;
        opened::decoded(name, || {
            let batch = batches.next().transpose();
            let Some(batch) = batch.map_err(|error| broken(name, &error))? else {
                return Ok(None);
            };
            let damaged = |message: String| EmbeddingsError::damaged(name, message);
            if !are_even(&batch) {
                return Err(damaged(
                    "is broken: its contacts are of unequal numbers".to_owned(),
                ));
            }
            let rows = rows(&batch, *rule);
            let rows = rows.ok_or_else(|| EmbeddingsError::without_contacts(name))?;
            match rows.iter().find_map(SequenceContacts::oddity) {
                Some(oddity) => Err(damaged(format!("is broken: {oddity}"))),
                None => Ok(Some(rows)),
            }
        })
    }

    /// Opens a part. Nothing, if the sequence that is asked for is known not to be in it.
    fn open(path: &Path, only: Option<&str>) -> Result<Option<Self>, EmbeddingsError> {
        let name = path.display().to_string();
        let begin = begin_of(path);
        if begin.starts_with(arrow::MAGIC) {
            return opened::decoded(&name, || Self::of_arrow(path, name.clone()).map(Some));
        }
        let other = if hdf5::is_hdf5(path) {
            Some("HDF5")
        } else if begin.starts_with(npy::MAGIC) {
            Some("NumPy")
        } else if super::safetensors::may_be(&begin) {
            Some("safetensors")
        } else {
            None
        };
        match other {
            Some(format) => Err(EmbeddingsError::contacts_in(&name, format)),
            None if !begin.is_empty() && !begin.starts_with(PARQUET) => {
                Err(EmbeddingsError::foreign(
                    &name,
                    "is neither a Parquet nor an Arrow file".to_owned(),
                ))
            }
            None => opened::decoded(&name, || Self::of_parquet(path, name.clone(), only)),
        }
    }

    fn of_arrow(path: &Path, name: String) -> Result<Self, EmbeddingsError> {
        let file = file::open(path).map_err(|error| EmbeddingsError::unopened(&name, &error))?;
        let reader = FileReader::try_new(BufReader::new(file), None);
        let reader = reader.map_err(|error| broken(&name, &error))?;
        let entries = reader.custom_metadata();
        Ok(Self {
            rule: rule(|key| entries.get(key).map(String::as_str)),
            name,
            batches: Box::new(reader),
        })
    }

    fn of_parquet(
        path: &Path,
        name: String,
        only: Option<&str>,
    ) -> Result<Option<Self>, EmbeddingsError> {
        let damaged = |error: ParquetError| broken(&name, &error.into());
        let open = || {
            let file =
                file::open(path).map_err(|error| EmbeddingsError::unopened(&name, &error))?;
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)
        };
        let mut builder = open()?;
        if let Some(only) = only {
            let Some(row) = row_of(open()?, only).map_err(damaged)? else {
                return Ok(None);
            };
            let selectors = vec![RowSelector::skip(row), RowSelector::select(1)];
            builder = builder.with_row_selection(RowSelection::from(selectors));
        }
        opened::check_compression(&name, builder.metadata())?;
        let entries = builder.metadata().file_metadata().key_value_metadata();
        let rule = rule(|key| {
            let entry = entries?.iter().find(|entry| entry.key == key)?;
            entry.value.as_deref()
        });
        let columns = ProjectionMask::columns(builder.parquet_schema(), COLUMNS);
        let batches = builder
            .with_projection(columns)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(damaged)?;
        Ok(Some(Self {
            name,
            rule,
            batches: Box::new(batches),
        }))
    }
}

/// Which pairs an output says that it has, if it is not all.
fn rule<'a>(entry: impl Fn(&str) -> Option<&'a str>) -> Option<ContactPairs> {
    Some(ContactPairs {
        threshold: entry(THRESHOLD)?.parse().ok()?,
        min_separation: entry(MIN_SEPARATION)?.parse().ok()?,
    })
}

fn broken(name: &str, error: &ArrowError) -> EmbeddingsError {
    EmbeddingsError::damaged(name, format!("is broken, or was cut short: {error}"))
}

/// The row of a sequence, if it is there.
fn row_of(
    builder: ParquetRecordBatchReaderBuilder<std::fs::File>,
    id: &str,
) -> Result<Option<usize>, ParquetError> {
    let columns = ProjectionMask::columns(builder.parquet_schema(), ["id"]);
    let builder = builder.with_projection(columns);
    let mut n_before = 0;
    for batch in builder.with_batch_size(IDS_AT_ONCE).build()? {
        let batch = batch?;
        let ids = batch.column_by_name("id");
        let ids = ids.and_then(|ids| ids.as_string_opt::<i32>());
        let found = ids.and_then(|ids| ids.iter().position(|other| other == Some(id)));
        if let Some(row) = found {
            return Ok(Some(n_before + row));
        }
        n_before += batch.num_rows();
    }
    Ok(None)
}

/// Whether the matrices of a batch have as many columns as rows, and its lists of pairs are equally long.
fn are_even(batch: &RecordBatch) -> bool {
    let list = |name: &str| batch.column_by_name(name)?.as_list_opt::<i32>();
    let is_even = |row: usize| {
        let matrix = list("contacts").map(|matrices| matrices.value(row));
        let is_square = matrix.is_none_or(|matrix| {
            let rows = matrix.as_list_opt::<i32>();
            rows.is_none_or(|rows| (0..rows.len()).all(|i| rows.value(i).len() == rows.len()))
        });
        let mut lists = ["i", "j", "probability"].into_iter().filter_map(list);
        let n_pairs = lists.next().map(|first| first.value_length(row));
        is_square && lists.all(|list| Some(list.value_length(row)) == n_pairs)
    };
    (0..batch.num_rows()).all(is_even)
}

/// The rows of a batch. Nothing, if there are no contacts in it.
fn rows(batch: &RecordBatch, rule: Option<ContactPairs>) -> Option<Vec<SequenceContacts>> {
    let column = |name: &str| batch.column_by_name(name);
    let ids = column("id")?.as_string_opt::<i32>()?;
    let rows = (0..batch.num_rows()).map(|row| {
        let (n_residues, pairs) = match column("contacts") {
            Some(contacts) => of_matrix(&contacts.as_list_opt::<i32>()?.value(row))?,
            None => {
                let list = |name| Some(column(name)?.as_list_opt::<i32>()?.value(row));
                let (i, j, probability) = (list("i")?, list("j")?, list("probability")?);
                let residues = i.as_primitive_opt::<UInt32Type>()?.values().iter();
                let others = j.as_primitive_opt::<UInt32Type>()?.values().iter();
                let probabilities = probability.as_primitive_opt::<Float32Type>()?.values();
                let pairs = residues.zip(others).zip(probabilities);
                let pairs = pairs.map(|((&i, &j), &probability)| (i, j, probability));
                let lengths = column("length")?.as_primitive_opt::<UInt32Type>()?;
                (lengths.value(row) as usize, pairs.collect())
            }
        };
        Some(SequenceContacts {
            id: ids.value(row).to_owned(),
            n_residues,
            pairs,
            rule,
        })
    });
    rows.collect()
}

/// Residues, and all pairs of them, of a matrix.
fn of_matrix(matrix: &dyn Array) -> Option<(usize, Vec<ContactPair>)> {
    let rows = matrix.as_list_opt::<i32>()?;
    let n = rows.len();
    let mut pairs = Vec::new();
    for i in 0..n {
        let row = rows.value(i);
        pairs.reserve(n - i - 1);
        let probabilities = row.as_primitive_opt::<Float32Type>()?.values();
        let behind = probabilities.iter().enumerate().skip(i + 1);
        pairs.extend(behind.map(|(j, &p)| (i as u32 + 1, j as u32 + 1, p)));
    }
    Some((n, pairs))
}
