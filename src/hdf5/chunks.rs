//! Rows of a dataset whose number is known only at the end, in chunks: the tree is that of section III.A.1 for raw data.

use super::{
    Layout,
    btree::{self, Child, Kind},
    put::Put as _,
    writer::Writer,
};
use std::io;

/// Bytes of a chunk, about. The HDF library keeps chunks of up to 1 MiB in memory for the next one who reads.
const CHUNK_BYTES: usize = 512 * 1024;

/// The tree that leads to the chunks of a dataset of so many dimensions.
pub(super) fn kind(rank: usize) -> Kind {
    Kind {
        number: 1,
        key_bytes: 8 + 8 * (rank + 1),
        // The superblock does not say it: it is so in all files.
        most_children: 64,
    }
}

/// A dataset that grows in one dimension.
pub struct Chunks {
    /// Bytes of a row.
    row_bytes: usize,
    /// Dimensions of the dataset.
    rank: usize,
    /// The rows that are in no chunk yet.
    rest: Vec<u8>,
    /// The chunks in the file.
    addresses: Vec<u64>,
}

impl Chunks {
    /// No row yet. A row has so many bytes, which is more than none, and the dataset so many dimensions.
    pub fn new(row_bytes: usize, rank: usize) -> Self {
        Self {
            row_bytes,
            rank,
            rest: Vec::new(),
            addresses: Vec::new(),
        }
    }

    /// Rows of a chunk.
    fn rows(&self) -> usize {
        (CHUNK_BYTES / self.row_bytes).max(1)
    }

    /// Takes the next rows.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn put(&mut self, writer: &mut Writer, mut rows: &[u8]) -> io::Result<()> {
        let chunk_bytes = self.rows() * self.row_bytes;
        while !rows.is_empty() {
            let n_bytes = rows.len().min(chunk_bytes - self.rest.len());
            let (now, later) = rows.split_at(n_bytes);
            self.rest.extend_from_slice(now);
            rows = later;
            if self.rest.len() == chunk_bytes {
                self.write(writer)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, writer: &mut Writer) -> io::Result<()> {
        self.addresses.push(writer.align()?);
        writer.put(&self.rest)?;
        self.rest.clear();
        Ok(())
    }

    /// Writes what is left, and says where all rows are.
    ///
    /// # Errors
    /// If the file system refuses.
    pub fn finish(mut self, writer: &mut Writer) -> io::Result<Layout> {
        if self.addresses.is_empty() {
            // One chunk, which has no more rows than there are, and needs no tree.
            let address = writer.align()?;
            writer.put(&self.rest)?;
            return Ok(Layout::Contiguous { address });
        }
        let rows = self.rows();
        if !self.rest.is_empty() {
            self.rest.resize(rows * self.row_bytes, 0);
            self.write(writer)?;
        }
        let key = |n_chunk: usize, n_bytes: usize| {
            let mut key = Vec::new();
            key.put_u32(n_bytes as u32);
            key.put_u32(0);
            key.put_u64((n_chunk * rows) as u64);
            key.put_zeros_to(8 + 8 * (self.rank + 1));
            key
        };
        let kind = kind(self.rank);
        let children = self.addresses.iter().enumerate();
        let children = children.map(|(n_chunk, address)| Child {
            key: key(n_chunk, rows * self.row_bytes),
            address: *address,
        });
        let last = key(self.addresses.len(), 0);
        Ok(Layout::Chunked {
            tree: btree::write(writer, &kind, children.collect(), &last)?,
            rows: rows as u32,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use std::io::Read as _;

    /// What is read of rows that were written in pieces, and whether they are in chunks.
    fn read_back(n_rows: usize, row_bytes: usize) -> (Vec<u8>, bool) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
        let mut rows = Chunks::new(row_bytes, 2);
        for some in bytes(n_rows * row_bytes).chunks(3 * CHUNK_BYTES / 2) {
            rows.put(&mut writer, some).unwrap();
        }
        let layout = rows.finish(&mut writer).unwrap();
        let dataset = Dataset {
            shape: vec![n_rows as u64, row_bytes as u64],
            datatype: Datatype::U8,
            layout,
            attributes: Vec::new(),
        };
        let object = writer.describe([dataset]).unwrap()[0];
        writer.finish(&[], &[]).unwrap();
        let reader = Reader::open(file.reopen().unwrap()).unwrap().unwrap();
        let object = reader.object(object).unwrap();
        let mut found = Vec::new();
        reader
            .stream(&object)
            .unwrap()
            .read_to_end(&mut found)
            .unwrap();
        (found, matches!(layout, Layout::Chunked { .. }))
    }

    fn bytes(n_bytes: usize) -> Vec<u8> {
        (0..n_bytes).map(|n| (n / 1000) as u8).collect()
    }

    #[test]
    fn few_rows_are_contiguous_and_many_in_chunks() {
        let one = CHUNK_BYTES / 4;
        for (n_rows, is_chunked) in [
            (0, false),
            (1, false),
            (one - 1, false),
            (one, true),
            (3 * one + 1, true),
            // More chunks than a node of the tree leads to.
            (70 * one, true),
        ] {
            let found = read_back(n_rows, 4);
            assert!(found == (bytes(n_rows * 4), is_chunked), "{n_rows} rows");
        }
    }
}
