//! A dataset a sequence: at the root if there is one column of vectors, else in a group a column.

use super::{
    super::{
        Files,
        column::{Number, VectorColumn, ids, vectors_alone},
    },
    attributes, check_sequences,
    keys::KeyList,
    layout, sequences,
};
use crate::{
    hdf5::{Attribute, Dataset, Datatype, Layout, Link, Place, Texts, Value, Writer},
    job::{ExportOptions, Keys, OutputFormat},
    sink::{SinkError, TableWriter},
};
use arrow_array::{RecordBatch, StringArray, cast::AsArray as _};
use arrow_schema::Schema;
use std::io;

/// The attribute of a dataset with the id of its sequence, which its name may not be.
pub(super) const ORIGINAL_ID: &str = "original_id";
/// The attribute of a dataset with the rest of the definition line, where there is more than an id.
pub(super) const DESCRIPTION: &str = "description";

/// A file on its way.
struct KeyedWriter {
    file: Writer,
    columns: Vec<Column>,
    keys: KeyList,
    descriptions: Texts,
    n_rows: u64,
}

/// A column of vectors.
struct Column {
    vectors: VectorColumn,
    /// Of each dataset, where its numbers begin, and how many vectors it has, or numbers of a matrix.
    places: Vec<(u64, u64)>,
}

/// Begins a file.
///
/// # Errors
/// - If there are no vectors, or others than vectors.
/// - If names are to be hashes, and the rows have no sequences.
/// - If the file system refuses.
pub(in super::super) fn begin(
    files: Files,
    options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let vectors = columns_of(schema, options)?;
    let columns = vectors.into_iter().map(|vectors| Column {
        vectors,
        places: Vec::new(),
    });
    Ok(Box::new(KeyedWriter {
        file: Writer::new(files.main).map_err(SinkError::writing)?,
        columns: columns.collect(),
        keys: KeyList::new(options.keys),
        descriptions: Texts::default(),
        n_rows: 0,
    }))
}

/// As [`Format::fits`](super::super::Format::fits).
pub(in super::super) fn fits(schema: &Schema, options: &ExportOptions) -> Result<(), SinkError> {
    columns_of(schema, options).map(drop)
}

fn columns_of(schema: &Schema, options: &ExportOptions) -> Result<Vec<VectorColumn>, SinkError> {
    if options.keys == Keys::Hash {
        check_sequences(schema, "`keys: \"hash\"` needs the sequences")?;
    }
    vectors_alone(schema, OutputFormat::Hdf5, options)
}

impl Column {
    /// The numbers of each row in bytes, as they follow each other.
    fn n_bytes(&self, count: u64) -> usize {
        let width = self.vectors.width.unwrap_or(1);
        count as usize * width * self.vectors.number.n_bytes()
    }

    fn write(
        &mut self,
        rows: &RecordBatch,
        are_written: &[bool],
        file: &mut Writer,
    ) -> Result<(), SinkError> {
        let mut bytes = self.vectors.bytes(rows)?;
        let counts = self.vectors.counts(rows)?;
        for (count, is_written) in counts.into_iter().zip(are_written) {
            let (numbers, rest) = bytes.split_at(self.n_bytes(count));
            bytes = rest;
            if *is_written {
                let address = file.align().map_err(SinkError::writing)?;
                file.put(numbers).map_err(SinkError::writing)?;
                self.places.push((address, count));
            }
        }
        Ok(())
    }

    /// What describes the datasets of the column, of sequences with these ids and descriptions.
    fn datasets<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a str>,
        descriptions: &'a [Place],
    ) -> impl Iterator<Item = Dataset<'a>> {
        let of_rows = ids.zip(descriptions).zip(&self.places);
        of_rows.map(|((id, description), (address, count))| {
            let mut attributes = vec![attributes::text((ORIGINAL_ID, id))];
            attributes.extend((!description.is_empty()).then_some(Attribute {
                name: DESCRIPTION,
                value: Value::Written(*description),
            }));
            Dataset {
                shape: self.shape(*count),
                datatype: datatype(self.vectors.number),
                layout: Layout::Contiguous { address: *address },
                attributes,
            }
        })
    }

    fn shape(&self, count: u64) -> Vec<u64> {
        match (self.vectors.width, self.vectors.is_many) {
            (Some(width), false) => vec![width as u64],
            (Some(width), true) => vec![count, width as u64],
            (None, _) => vec![count.isqrt(); 2],
        }
    }
}

/// How numbers are called in HDF5.
pub(super) fn datatype(number: Number) -> Datatype {
    match number {
        Number::F16 => Datatype::F16,
        Number::F32 => Datatype::F32,
    }
}

impl KeyedWriter {
    fn complete(self, metadata: &[(String, String)]) -> io::Result<()> {
        let Self {
            mut file,
            columns,
            keys,
            descriptions,
            n_rows,
        } = self;
        let names = keys.names();
        let descriptions = descriptions.finish(&mut file)?;
        let mut columns_at = Vec::new();
        let n_rows = n_rows.to_string();
        let vectors: Vec<_> = columns.iter().map(|column| &column.vectors).collect();
        let layout = layout::said_of(&vectors);
        let root: Vec<_> = attributes::of_root(metadata, &n_rows, &layout).collect();
        for column in &columns {
            let objects = file.describe(column.datasets(keys.ids(), &descriptions))?;
            let links = names.iter().map(|(name, n)| Link {
                name,
                object: objects[*n],
            });
            let links: Vec<_> = links.collect();
            if columns.len() == 1 {
                return file.finish(&links, &root);
            }
            columns_at.push(Link {
                name: &column.vectors.name,
                object: file.group(&links)?,
            });
        }
        columns_at.sort_unstable_by_key(|link| link.name);
        file.finish(&columns_at, &root)
    }
}

/// The descriptions of these rows, if they have any.
fn descriptions(rows: &RecordBatch) -> Option<&StringArray> {
    rows.column_by_name("description")?.as_string_opt::<i32>()
}

impl TableWriter for KeyedWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let ids = ids(rows)?;
        let sequences = match self.keys.are_hashes() {
            true => Some(sequences(rows)?),
            false => None,
        };
        let are_written: Vec<_> = (0..rows.num_rows())
            .map(|n| {
                let sequence = sequences.map_or("", |sequences| sequences.value(n));
                self.keys.add(ids.value(n), sequence)
            })
            .collect();
        let descriptions = descriptions(rows);
        for n in (0..rows.num_rows()).filter(|n| are_written[*n]) {
            let description = descriptions.map_or("", |descriptions| descriptions.value(n));
            let put = self.descriptions.put(&mut self.file, description);
            put.map_err(SinkError::writing)?;
        }
        for column in &mut self.columns {
            column.write(rows, &are_written, &mut self.file)?;
        }
        self.n_rows += rows.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        self.complete(metadata).map_err(SinkError::writing)
    }
}
