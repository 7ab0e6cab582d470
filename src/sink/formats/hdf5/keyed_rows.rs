//! The rows of a file with a dataset a sequence, in the order in which they were written.

use super::{
    super::stored::{RowBuffer, RowSource, StoredColumn, StoredTable},
    attributes::ROWS,
    keyed::{DESCRIPTION, ORIGINAL_ID},
    open::{OpenFile, damaged},
};
use crate::{
    hdf5::{Datatype, Object, ReadError, Reader},
    job::{Form, OutputDtype},
    sink::SinkError,
};
use std::{io, path::Path};

/// The rows of a file.
struct KeyedRows {
    reader: Reader,
    columns: Vec<StoredColumn>,
    /// Of each column, where the datasets are.
    datasets: Vec<Vec<u64>>,
    n_given: usize,
}

/// As [`OpenStored`](super::super::stored::OpenStored).
pub(in super::super) fn open(path: &Path) -> Result<StoredTable, SinkError> {
    let OpenFile {
        reader,
        root,
        columns,
    } = OpenFile::open(path)?;
    let found = || {
        let n_rows = reader.text(&root, ROWS)?;
        let datasets = datasets(&reader, &root, &columns)?;
        Ok((n_rows.and_then(|text| text.parse::<usize>().ok()), datasets))
    };
    let (n_rows, datasets) = found().map_err(|error| damaged(path, &error))?;
    let n_datasets = datasets.first().map_or(0, Vec::len);
    if let Some(n_rows) = n_rows
        && n_rows != n_datasets
    {
        return Err(SinkError::Unfit {
            message: format!(
                "`{}` has {n_datasets} datasets of {n_rows} sequences: under their hashes, equal ones share one",
                path.display()
            ),
            hint: "export from what it was made of, or have `embed` write `keys: \"id\"`"
                .to_owned(),
        });
    }
    Ok(StoredTable {
        columns: columns.clone(),
        has_sequences: false,
        rows: Box::new(KeyedRows {
            reader,
            columns,
            datasets,
            n_given: 0,
        }),
    })
}

/// Where the datasets of each column are, in the order in which they were written.
fn datasets(
    reader: &Reader,
    root: &Object,
    columns: &[StoredColumn],
) -> Result<Vec<Vec<u64>>, ReadError> {
    let in_order = |group: &Object| {
        let links = reader.links(group)?.into_iter();
        let mut datasets: Vec<_> = links.map(|(_, address)| address).collect();
        datasets.sort_unstable();
        Ok::<_, ReadError>(datasets)
    };
    if columns.len() == 1 {
        return Ok(vec![in_order(root)?]);
    }
    let groups = reader.links(root)?;
    let of_column = |column: &StoredColumn| {
        let group = groups.iter().find(|(name, _)| *name == column.name);
        let missing = || ReadError::Damaged(format!("the group `{}` is missing", column.name));
        let (_, address) = group.ok_or_else(missing)?;
        in_order(&reader.object(*address)?)
    };
    let datasets: Vec<_> = columns.iter().map(of_column).collect::<Result<_, _>>()?;
    match datasets
        .windows(2)
        .all(|pair| pair[0].len() == pair[1].len())
    {
        true => Ok(datasets),
        false => Err(ReadError::Damaged("datasets are missing".to_owned())),
    }
}

impl RowSource for KeyedRows {
    fn read(&mut self, rows: &mut RowBuffer) -> io::Result<bool> {
        let n = self.n_given;
        self.n_given += 1;
        let reader = &self.reader;
        for (n_column, (column, datasets)) in self.columns.iter().zip(&self.datasets).enumerate() {
            let Some(address) = datasets.get(n) else {
                return Ok(false);
            };
            let read = || {
                let dataset = reader.object(*address)?;
                let text = |name| reader.text(&dataset, name).map(Option::unwrap_or_default);
                let texts = match n_column {
                    0 => Some((text(ORIGINAL_ID)?, text(DESCRIPTION)?)),
                    _ => None,
                };
                if !is_of(&dataset, column) {
                    let other = format!("a dataset of `{}` has another shape", column.name);
                    return Err(ReadError::Damaged(other));
                }
                Ok((texts, reader.values(&dataset)?))
            };
            let (texts, numbers) = read().map_err(|error: ReadError| match error {
                ReadError::Io(error) => error,
                other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
            })?;
            if let Some((id, description)) = texts {
                rows.ids.push(id);
                rows.descriptions.push(description);
            }
            rows.columns[n_column].extend(numbers);
        }
        Ok(!self.datasets.is_empty())
    }
}

/// Whether a dataset is one of a column.
fn is_of(dataset: &Object, column: &StoredColumn) -> bool {
    let datatype = match column.dtype {
        OutputDtype::F16 => Datatype::F16,
        OutputDtype::F32 => Datatype::F32,
    };
    let has_shape = match (column.form, dataset.shape.as_slice()) {
        (Form::Vector(width), [found]) | (Form::Vectors(width), [_, found]) => {
            *found == width as u64
        }
        (Form::Square, [rows, columns]) => rows == columns,
        _ => false,
    };
    dataset.datatype == Some(datatype) && has_shape
}
