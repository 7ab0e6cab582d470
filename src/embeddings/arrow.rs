//! Arrow files that `embed` wrote: the columns that Parquet files have.

use super::{
    Embeddings, EmbeddingsError, opened,
    parquet::{append, column_of},
    table::Source,
};
use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use arrow_schema::ArrowError;
use std::{
    fs::File,
    io::{BufReader, Seek},
    path::Path,
};

/// What every file begins with.
pub(super) const MAGIC: &[u8] = b"ARROW1";

/// A file that stays open, so that it can be read again even where its name is gone.
#[derive(Debug)]
struct ArrowFile {
    file: File,
    /// As it was named, for errors.
    name: String,
}

/// Reads a file into `embeddings`. What does not stay in memory can be had from what is returned.
///
/// # Errors
/// - The file cannot be opened or is no Arrow file.
/// - A column is missing or has another type.
pub(super) fn read(
    path: &Path,
    embeddings: &mut Embeddings,
) -> Result<Box<dyn Source>, EmbeddingsError> {
    let (file, name) = opened::open(path)?;
    let file = ArrowFile { file, name };
    opened::decoded(&file.name, || {
        let reader = file.reader(None).map_err(|error| file.broken(&error))?;
        column_of(&reader.schema(), embeddings.column(), &file.name)?;
        for rows in reader {
            let rows = rows.map_err(|error| file.broken(&error))?;
            append(&rows, embeddings, &file.name)?;
        }
        Ok(())
    })?;
    Ok(Box::new(file))
}

impl ArrowFile {
    fn reader(
        &self,
        columns: Option<Vec<usize>>,
    ) -> Result<FileReader<BufReader<File>>, ArrowError> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        FileReader::try_new(BufReader::new(file), columns)
    }

    fn broken(&self, error: &ArrowError) -> EmbeddingsError {
        let text = error.to_string();
        if let Some(how) = ["lz4", "zstd"]
            .iter()
            .find(|how| text.contains(&format!("requires the {how}")))
        {
            return EmbeddingsError::compressed(&self.name, how);
        }
        EmbeddingsError::damaged(&self.name, format!("is broken, or was cut short: {error}"))
    }
}

impl Source for ArrowFile {
    fn description(&self, row: usize) -> Result<String, EmbeddingsError> {
        let read = || {
            let column = self.reader(None)?.schema().index_of("description")?;
            let mut n_before = 0;
            for rows in self.reader(Some(vec![column]))? {
                let rows = rows?;
                if let Some(texts) = rows.column(0).as_string_opt::<i32>()
                    && row - n_before < rows.num_rows()
                {
                    return Ok(texts.value(row - n_before).to_owned());
                }
                n_before += rows.num_rows();
            }
            Ok(String::new())
        };
        opened::decoded(&self.name, || {
            read().map_err(|error: ArrowError| self.broken(&error))
        })
    }
}
