//! Formats of outputs that are written from the rows of parts, each by a [`TableWriter`].

mod arrow;
mod card;
mod checksum;
mod column;
mod flat;
mod hdf5;
mod npy;
mod safetensors;
mod spool;
mod stored;

use super::{Checked, SinkError, TableRows, TableWriter};
use crate::{
    file::VERSION,
    job::{ExportOptions, OutputFormat},
};
use arrow_schema::{Schema, SchemaRef};
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

pub(super) use card::{are_of_one_output, could_lie_beside, said_of_gone, was_beside};
pub(super) use checksum::UNKNOWN;
pub(super) use column::{VectorColumn, has_many, vector_columns};

/// What can be done with files of a format that are made of parts.
pub(super) struct Format {
    /// The format.
    pub(super) format: OutputFormat,
    /// Whether it has room for all columns of parts.
    pub(super) is_table: bool,
    /// Checks that columns can be in it.
    pub(super) fits: Fits,
    /// Begins empty files.
    pub(super) begin: Begin,
    /// Whether a file with one column of answers is the same however its rows are divided when they are written.
    pub(super) is_seamless: bool,
    /// What a complete file says of how it came about. Nothing, if it is someone else's.
    pub(super) read_metadata: ReadMetadata,
    /// The columns of a complete file: those of parts, as far as it has what is in them.
    pub(super) schema: ReadSchema,
    /// The rows of such a file.
    pub(super) rows: ReadRows,
    /// Reads everything in a complete file, and compares it with its checksum.
    pub(super) check: fn(&Path) -> Result<Checked, SinkError>,
}

/// Checks that rows with these columns can be in a format.
type Fits = fn(&Schema, &ExportOptions) -> Result<(), SinkError>;

/// Reads what a file says of how it came about.
type ReadMetadata = fn(&Path) -> Result<Option<BTreeMap<String, String>>, SinkError>;

/// Reads which columns a file has.
type ReadSchema = fn(&Path) -> Result<SchemaRef, SinkError>;

/// Reads the rows of a file.
type ReadRows = for<'a> fn(&'a Path) -> Result<TableRows<'a>, SinkError>;

/// Begins empty files of a format, for rows with these columns.
pub(super) type Begin =
    fn(Files, &ExportOptions, &Schema) -> Result<Box<dyn TableWriter>, SinkError>;

/// The empty files of an output, which can be read and written.
pub(super) struct Files {
    /// The output.
    pub(super) main: File,
    /// Those that [lie beside it](OutputFormat::sidecars), in that order.
    pub(super) beside: Vec<File>,
    /// Where there is room for more.
    pub(super) folder: Option<PathBuf>,
}

/// All of them but Parquet, of which parts are.
pub(super) const FORMATS: &[Format] = &[
    Format {
        format: OutputFormat::Hdf5,
        is_table: false,
        fits: hdf5::fits_keyed,
        begin: hdf5::begin_keyed,
        is_seamless: true,
        read_metadata: hdf5::read_metadata,
        schema: |path| Ok(hdf5::open_keyed(path)?.schema()),
        rows: |path| stored::rows(path, hdf5::check, hdf5::open_keyed),
        check: hdf5::check,
    },
    Format {
        format: OutputFormat::Embed,
        is_table: false,
        fits: hdf5::fits_embed,
        begin: hdf5::begin_embed,
        is_seamless: true,
        read_metadata: hdf5::read_metadata,
        schema: |path| Ok(hdf5::open_embed(path)?.schema()),
        rows: |path| stored::rows(path, hdf5::check, hdf5::open_embed),
        check: hdf5::check,
    },
    Format {
        format: OutputFormat::Npy,
        is_table: false,
        fits: npy::fits,
        begin: npy::begin,
        is_seamless: true,
        read_metadata: npy::read_metadata,
        schema: |path| Ok(npy::open(path)?.schema()),
        rows: |path| stored::rows(path, npy::check, npy::open),
        check: npy::check,
    },
    Format {
        format: OutputFormat::Safetensors,
        is_table: false,
        fits: self::safetensors::fits,
        begin: self::safetensors::begin,
        is_seamless: true,
        read_metadata: self::safetensors::read_metadata,
        schema: |path| Ok(self::safetensors::open(path)?.schema()),
        rows: |path| stored::rows(path, self::safetensors::check, self::safetensors::open),
        check: self::safetensors::check,
    },
    Format {
        format: OutputFormat::Arrow,
        is_table: true,
        fits: |_, _| Ok(()),
        begin: arrow::begin,
        is_seamless: false,
        read_metadata: arrow::read_metadata,
        schema: arrow::schema,
        rows: arrow::rows,
        check: arrow::check,
    },
];

/// The entries in the metadata of a file: how many bytes its data are, and a BLAKE3 of them, and in some formats of
/// what is said of them, too.
const CONTENT_BYTES: &str = "runner.content_bytes";
const CONTENT_HASH: &str = "runner.content_blake3";

/// How a file is mended that is damaged and finished.
const WRITTEN_AGAIN: &str =
    "set `overwrite: true` to have it written again, or choose another output";

/// What is wrong with a file that its format cannot be read from.
fn damaged(path: &Path, message: impl std::fmt::Display) -> SinkError {
    SinkError::Damaged {
        path: path.to_owned(),
        message: format!("is damaged, or was cut short: {message}"),
        hint: WRITTEN_AGAIN,
    }
}

/// Compares bytes of a file with the checksum that its metadata have of them.
fn check_content(
    content: impl std::io::Read,
    metadata: &BTreeMap<String, String>,
) -> Result<(), String> {
    let (Some(n_bytes), Some(hash)) = (
        metadata
            .get(CONTENT_BYTES)
            .and_then(|text| text.parse::<u64>().ok()),
        metadata.get(CONTENT_HASH),
    ) else {
        return Err("has no checksum".to_owned());
    };
    let mut hasher = blake3::Hasher::new();
    let read = hasher.update_reader(content.take(n_bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    let found = hasher.finalize().to_hex();
    match found.as_str() == hash && hasher.count() == n_bytes {
        true => Ok(()),
        false => Err(format!(
            "is damaged: its data has the checksum {found}, and was written with {hash}"
        )),
    }
}

#[cfg(test)]
mod tests;
