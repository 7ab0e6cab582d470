//! A part that ends behind an earlier row group.

use super::{
    super::{HashedFile, Shorten, SinkError},
    entries::{key_values, of_content, of_writer},
    file::MAGIC,
    slot::Slot,
};
use ::parquet::{
    errors::ParquetError,
    file::{
        metadata::{
            FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter,
            RowGroupMetaData,
        },
        writer::TrackedWrite,
    },
};
use std::{fs::File, io::Write, os::unix::fs::FileExt, path::PathBuf};

/// Bytes that are read again at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// The row groups of a part, of which the last ones may not be in its file.
pub(super) struct RowGroups {
    metadata: ParquetMetaData,
    /// The output, for errors.
    path: PathBuf,
}

/// Where a row group ends in its file.
pub(super) fn end_of(group: &RowGroupMetaData) -> u64 {
    let ranges = group.columns().iter().map(|column| column.byte_range());
    let ends = ranges.map(|(start, n_bytes)| start + n_bytes);
    ends.max().unwrap_or(0)
}

impl RowGroups {
    pub(super) fn new(metadata: ParquetMetaData, path: PathBuf) -> Self {
        Self { metadata, path }
    }

    /// The first row groups, those that have `n_rows` rows together.
    fn first(&self, n_rows: u64) -> Vec<RowGroupMetaData> {
        let mut n_so_far = 0;
        let fits = |group: &&RowGroupMetaData| {
            n_so_far += group.num_rows().unsigned_abs();
            n_so_far <= n_rows
        };
        let groups = self.metadata.row_groups().iter().take_while(fits);
        groups.cloned().collect()
    }

    fn write(
        &self,
        groups: Vec<RowGroupMetaData>,
        file: &File,
        entries: &[(String, String)],
    ) -> Result<HashedFile, ParquetError> {
        let n_bytes = groups.last().map_or(MAGIC.len() as u64, end_of);
        let mut slot = Slot::new(HashedFile::over(file.try_clone()?, n_bytes)?)?;
        let mut tracked = TrackedWrite::new(&mut slot);
        let mut piece = Vec::new();
        for at in (0..n_bytes).step_by(PIECE_BYTES as usize) {
            piece.resize(PIECE_BYTES.min(n_bytes - at) as usize, 0);
            file.read_exact_at(&mut piece, at)?;
            tracked.write_all(&piece)?;
        }
        tracked.flush()?;
        let (_, hash) = tracked.inner_mut().begin_footer()?;
        let written = self.metadata.file_metadata();
        let of_writer = of_writer(&self.metadata).into_iter();
        let entries = key_values(entries).chain(of_writer);
        let entries = entries.chain(of_content(n_bytes, hash)).collect();
        let metadata = FileMetaData::new(
            written.version(),
            groups.iter().map(RowGroupMetaData::num_rows).sum(),
            written.created_by().map(str::to_owned),
            Some(entries),
            written.schema_descr_ptr(),
            written.column_orders().cloned(),
        );
        let metadata = ParquetMetaDataBuilder::new(metadata)
            .set_row_groups(groups)
            .set_page_index(self.metadata.page_index().cloned())
            .build();
        ParquetMetaDataWriter::new_with_tracked(tracked, &metadata)
            .with_preserve_page_index_locations(false)
            .finish()?;
        Ok(slot.take()?)
    }
}

impl Shorten for RowGroups {
    fn end_at(
        &self,
        n_rows: u64,
        file: &File,
        metadata: &[(String, String)],
    ) -> Result<HashedFile, SinkError> {
        let written = self.write(self.first(n_rows), file, metadata);
        written.map_err(|error| SinkError::parquet(&self.path, error))
    }
}
