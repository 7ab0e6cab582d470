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
        let kind = Kind {
            number: 1,
            key_bytes: 8 + 8 * (self.rank + 1),
            // The superblock does not say it: it is so in all files.
            most_children: 64,
        };
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
    use super::*;
    use std::{fs::File, os::unix::fs::FileExt as _};

    /// The chunks that a tree of one node leads to.
    fn chunks(file: &File, kind: &Kind, tree: u64) -> Vec<u64> {
        let mut node = vec![0; kind.node_bytes()];
        file.read_exact_at(&mut node, tree).unwrap();
        let (level, children) = btree::decode(kind, &node).unwrap();
        assert_eq!(level, 0);
        children
    }

    fn written(n_rows: usize, row_bytes: usize) -> (tempfile::NamedTempFile, Layout, Vec<u8>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
        let mut rows = Chunks::new(row_bytes, 1);
        let bytes: Vec<_> = (0..n_rows * row_bytes).map(|n| (n / 1000) as u8).collect();
        for some in bytes.chunks(3 * CHUNK_BYTES / 2) {
            rows.put(&mut writer, some).unwrap();
        }
        let layout = rows.finish(&mut writer).unwrap();
        writer.finish(&[], &[]).unwrap();
        (file, layout, bytes)
    }

    #[test]
    fn few_rows_are_contiguous() {
        for n_rows in [0, 1, CHUNK_BYTES - 1] {
            let (file, layout, bytes) = written(n_rows, 1);
            let Layout::Contiguous { address } = layout else {
                panic!("{n_rows} rows are in chunks");
            };
            let mut found = vec![0; n_rows];
            file.as_file().read_exact_at(&mut found, address).unwrap();
            assert!(found == bytes);
        }
    }

    #[test]
    fn many_rows_are_found_by_a_tree() {
        let kind = Kind {
            number: 1,
            key_bytes: 24,
            most_children: 64,
        };
        // One chunk and no rest; several and a row.
        for n_chunks in [1, 5] {
            let n_rest = usize::from(n_chunks > 1);
            let (file, layout, mut bytes) = written(n_chunks * CHUNK_BYTES + n_rest, 1);
            let Layout::Chunked { tree, rows } = layout else {
                panic!("{n_chunks} chunks are contiguous");
            };
            assert_eq!(rows as usize, CHUNK_BYTES);
            bytes.resize((n_chunks + n_rest) * CHUNK_BYTES, 0);
            let mut found = vec![0; bytes.len()];
            let chunks = chunks(file.as_file(), &kind, tree);
            for (to, address) in found.chunks_mut(CHUNK_BYTES).zip(&chunks) {
                file.as_file().read_exact_at(to, *address).unwrap();
            }
            assert_eq!(chunks.len(), n_chunks + n_rest);
            assert!(found == bytes);
        }
    }
}
