//! scikit-bio's `embed`: the vectors of all sequences in one matrix, and all sequences in one row of letters, with
//! where each ends.

use super::{
    super::{
        Files,
        column::{VectorColumn, ids, vectors_alone},
    },
    attributes, check_sequences,
    keyed::datatype,
    layout, sequences,
};
use crate::{
    alphabet::MASK_TEXT,
    hdf5::{Attribute, Chunks, Dataset, Datatype, Layout, Link, Value, Writer},
    job::{ExportOptions, OutputFormat},
    sink::{SinkError, TableWriter},
};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use std::io;

/// Any residue.
const UNKNOWN: &str = "X";

/// A file on its way.
struct EmbedWriter {
    file: Writer,
    column: VectorColumn,
    /// Components of a vector.
    width: usize,
    vectors: Ragged,
    sequences: Ragged,
    ids: Ragged,
}

/// What the rows have of something, all one after the other, and where each row ends.
struct Ragged {
    values: Chunks,
    ends: Vec<i64>,
}

/// Begins a file.
///
/// # Errors
/// - If there is not one column of vectors, or the rows have no sequences.
/// - If the file system refuses.
pub(in super::super) fn begin(
    files: Files,
    options: &ExportOptions,
    schema: &Schema,
) -> Result<Box<dyn TableWriter>, SinkError> {
    let (column, width) = one_column(schema, options)?;
    Ok(Box::new(EmbedWriter {
        file: Writer::new(files.main).map_err(SinkError::writing)?,
        vectors: Ragged::new(width * column.number.n_bytes(), 2),
        sequences: Ragged::new(1, 1),
        ids: Ragged::new(1, 1),
        column,
        width,
    }))
}

/// As [`Format::fits`](super::super::Format::fits).
pub(in super::super) fn fits(schema: &Schema, options: &ExportOptions) -> Result<(), SinkError> {
    one_column(schema, options).map(drop)
}

/// The one column of vectors, and their components, where the sequences are there, too.
fn one_column(
    schema: &Schema,
    options: &ExportOptions,
) -> Result<(VectorColumn, usize), SinkError> {
    let columns = vectors_alone(schema, OutputFormat::Embed, options)?;
    check_sequences(schema, "`.embed` files hold the sequences")?;
    let names: Vec<_> = columns.iter().map(|of| format!("`{}`", of.name)).collect();
    let mut vectors = columns.into_iter();
    match (vectors.next(), vectors.next()) {
        (Some(column), None) if let Some(width) = column.width => Ok((column, width)),
        _ => Err(SinkError::Unfit {
            message: format!(
                "a `.embed` file holds one column of vectors, and there are {}",
                names.join(", ")
            ),
            hint: "write `.h5`, which holds them all; or export each to a file of its own: `columns` of `export`, \
                   `--columns` of `runner export`"
                .to_owned(),
        }),
    }
}

impl Ragged {
    fn new(row_bytes: usize, rank: usize) -> Self {
        Self {
            values: Chunks::new(row_bytes, rank),
            ends: Vec::new(),
        }
    }

    /// Takes the values of the next row, so many.
    fn put(&mut self, file: &mut Writer, values: &[u8], count: u64) -> io::Result<()> {
        self.ends.push(self.len() + count as i64);
        self.values.put(file, values)
    }

    /// All values so far.
    fn len(&self) -> i64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Writes what is left. Returns the datasets of the values, with these dimensions behind the first, and of where
    /// the rows end.
    fn finish<'a>(
        self,
        file: &mut Writer,
        datatype: Datatype,
        others: &[u64],
    ) -> io::Result<[Dataset<'a>; 2]> {
        let mut shape = vec![self.len() as u64];
        shape.extend(others);
        let layout = self.values.finish(file)?;
        let values = Dataset {
            shape,
            datatype,
            layout,
            attributes: Vec::new(),
        };
        Ok([values, ends(file, &self.ends)?])
    }
}

/// Writes where rows end. scikit-bio has numbers of 32 bits; there are more residues than that has room for.
fn ends<'a>(file: &mut Writer, ends: &[i64]) -> io::Result<Dataset<'a>> {
    let address = file.align()?;
    let is_short = ends.last().is_none_or(|end| i32::try_from(*end).is_ok());
    for end in ends {
        let bytes = end.to_le_bytes();
        file.put(if is_short { &bytes[..4] } else { &bytes })?;
    }
    Ok(Dataset {
        shape: vec![ends.len() as u64],
        datatype: if is_short {
            Datatype::I32
        } else {
            Datatype::I64
        },
        layout: Layout::Contiguous { address },
        attributes: Vec::new(),
    })
}

/// A letter for each token of a sequence, as scikit-bio reads proteins: of others than it knows, it reads nothing of the
/// whole file.
fn letters(sequence: &str) -> Vec<u8> {
    let of_tokens = sequence.replace(MASK_TEXT, UNKNOWN);
    let letters = of_tokens.chars().map(|letter| match letter {
        'A'..='Z' | '*' | '-' | '.' => letter as u8,
        _ => UNKNOWN.as_bytes()[0],
    });
    letters.collect()
}

impl EmbedWriter {
    fn put(
        &mut self,
        rows: &RecordBatch,
        mut bytes: &[u8],
        counts: &[u64],
    ) -> Result<(), SinkError> {
        let (ids, sequences) = (ids(rows)?, sequences(rows)?);
        let row_bytes = self.width * self.column.number.n_bytes();
        let file = &mut self.file;
        let mut put = |to: &mut Ragged, values: &[u8], count: u64| {
            to.put(file, values, count).map_err(SinkError::writing)
        };
        for (n, count) in counts.iter().enumerate() {
            let (vectors, rest) = bytes.split_at(*count as usize * row_bytes);
            bytes = rest;
            put(&mut self.vectors, vectors, *count)?;
            let letters = letters(sequences.value(n));
            let mut sequence = letters.as_slice();
            // Of a sequence that was too long, the vectors are those of its beginning.
            if self.column.is_many && (*count as usize) < sequence.len() {
                sequence = &sequence[..*count as usize];
            }
            put(&mut self.sequences, sequence, sequence.len() as u64)?;
            let id = ids.value(n).as_bytes();
            put(&mut self.ids, id, id.len() as u64)?;
        }
        Ok(())
    }

    fn complete(self, metadata: &[(String, String)]) -> io::Result<()> {
        let mut file = self.file;
        let n_rows = self.vectors.ends.len().to_string();
        let number = datatype(self.column.number);
        let width = self.width as u64;
        let datasets = [
            self.vectors.finish(&mut file, number, &[width])?,
            self.sequences.finish(&mut file, Datatype::U8, &[])?,
            self.ids.finish(&mut file, Datatype::U8, &[])?,
        ];
        let objects = file.describe(datasets.into_iter().flatten())?;
        // In the order of the datasets, which is that of their names.
        let names = [
            "embedding",
            "embedding_ptr",
            "id",
            "idptr",
            "name",
            "nameptr",
        ];
        let links = names.into_iter().zip(objects);
        let links: Vec<_> = links.map(|(name, object)| Link { name, object }).collect();
        let numpy_name = match number {
            Datatype::F16 => "float16",
            _ => "float32",
        };
        let mut root = vec![
            attributes::text(("format", "embedding")),
            attributes::text(("format-version", "1.0")),
            attributes::text(("dtype", numpy_name)),
            Attribute {
                name: "dim",
                value: Value::Number(width as i64),
            },
        ];
        let columns = layout::said_of(&[&self.column]);
        root.extend(attributes::of_root(metadata, &n_rows, &columns));
        file.finish(&links, &root)
    }
}

impl TableWriter for EmbedWriter {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), SinkError> {
        let counts = self.column.counts(rows)?;
        let column = self.column.clone();
        self.put(rows, column.bytes(rows)?, &counts)
    }

    fn finish(self: Box<Self>, metadata: &[(String, String)]) -> Result<(), SinkError> {
        self.complete(metadata).map_err(SinkError::writing)
    }
}
