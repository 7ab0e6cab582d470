//! A Parquet file that is complete, opened for reading.

use super::{super::SinkError, entries};
use crate::file::{self, guarded};
use ::parquet::{
    errors::ParquetError,
    file::metadata::{
        PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    },
};
use std::{collections::BTreeMap, fs::File, os::unix::fs::FileExt as _, path::Path};

/// What every Parquet file begins with.
pub(super) const MAGIC: [u8; 4] = *b"PAR1";

/// A file that says of itself that it is Parquet.
pub(super) struct ParquetFile {
    pub(super) file: File,
    /// With the indexes of pages; what is wrong if it cannot be read.
    pub(super) metadata: Result<ParquetMetaData, ParquetError>,
}

impl ParquetFile {
    /// Opens a file. `None` if it is something else than Parquet.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, SinkError> {
        let file = file::open(path).map_err(|error| SinkError::io("read", path, error))?;
        let mut magic = MAGIC.map(|_| 0);
        if file.read_exact_at(&mut magic, 0).is_err() || magic != MAGIC {
            return Ok(None);
        }
        // All that there is, so that what is written from it again is the same.
        let options = ParquetMetaDataOptions::new().with_encoding_stats_as_mask(false);
        let metadata = guarded(|| {
            ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Optional)
                .with_metadata_options(Some(options))
                .parse_and_finish(&file)
        });
        Ok(Some(Self {
            metadata: metadata.map_err(ParquetError::General).flatten(),
            file,
        }))
    }
}

/// What is wrong with a file whose metadata cannot be read.
pub(super) fn damage(error: &ParquetError) -> String {
    format!("is damaged, or was cut short: {error}")
}

/// The entries of this program. `None` if the file is someone else's, or is not Parquet.
///
/// # Errors
/// - If the file is damaged, or was cut short.
/// - If the file system refuses.
pub(in super::super) fn read_metadata(
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, SinkError> {
    let Some(file) = ParquetFile::open(path)? else {
        return Ok(None);
    };
    let metadata = file.metadata.map_err(|error| SinkError::Damaged {
        path: path.to_owned(),
        message: damage(&error),
        hint: "set `overwrite: true` to have it written again, or choose another output",
    })?;
    Ok(entries::ours(&metadata))
}
