//! The beginning of a file, which says where the root is: section II.A, version 0.

use super::{
    links::{HALF_OF_CHILDREN, HALF_OF_LINKS, Table},
    put::{NOWHERE, Put as _},
};

/// What every HDF5 file begins with.
const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// Bytes of the superblock.
pub(super) const BYTES: usize = 96;
/// What the beginning of a file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Superblock {
    /// Where the file ends.
    pub(super) end: u64,
    /// Where the root's header is.
    pub(super) root: u64,
    /// Where the root's links are.
    pub(super) links: Table,
}

impl Superblock {
    /// The bytes at the beginning of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut block = SIGNATURE.to_vec();
        // Versions, and the bytes of addresses and lengths.
        block.extend([0, 0, 0, 0, 0, 8, 8, 0]);
        block.put_u16(HALF_OF_LINKS);
        block.put_u16(HALF_OF_CHILDREN);
        block.put_u32(0);
        // The file begins at 0, free space is not recorded, and there is no driver.
        block.put_u64(0);
        block.put_u64(NOWHERE);
        block.put_u64(self.end);
        block.put_u64(NOWHERE);
        // The root as a link without a name, which says where its own links are.
        block.put_u64(0);
        block.put_u64(self.root);
        block.put_u32(1);
        block.put_u32(0);
        block.put_u64(self.links.tree);
        block.put_u64(self.links.names);
        block
    }

    /// From the bytes at the beginning of a file. `None`, if it is none that this program could have written.
    pub(super) fn decode(block: &[u8; BYTES]) -> Option<Self> {
        let number = |at: usize| block[at..].first_chunk().copied().map(u64::from_le_bytes);
        let superblock = Self {
            end: number(40)?,
            root: number(64)?,
            links: Table {
                tree: number(80)?,
                names: number(88)?,
            },
        };
        (superblock.encode() == block).then_some(superblock)
    }
}
