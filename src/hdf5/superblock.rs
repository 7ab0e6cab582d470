//! The beginning of a file, which says where the root is: section II.A, version 0.

use super::{
    group::{HALF_OF_CHILDREN, HALF_OF_LINKS, Table},
    put::{NOWHERE, Put as _},
};

/// What every HDF5 file begins with.
pub(super) const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
/// Bytes of the superblock.
pub(super) const BYTES: usize = 96;
/// Where the end of the file stands in it.
const END_AT: usize = 40;
/// Where the address of the root stands in it.
const ROOT_AT: usize = 64;

/// The superblock of a file that ends at `end`, with the root's header and its links.
pub(super) fn encode(end: u64, root: u64, links: Table) -> Vec<u8> {
    let mut block = SIGNATURE.to_vec();
    // Versions, and the bytes of addresses and lengths.
    block.extend([0, 0, 0, 0, 0, 8, 8, 0]);
    block.put_u16(HALF_OF_LINKS);
    block.put_u16(HALF_OF_CHILDREN);
    block.put_u32(0);
    // The file begins at 0, free space is not recorded, and there is no driver.
    block.put_u64(0);
    block.put_u64(NOWHERE);
    block.put_u64(end);
    block.put_u64(NOWHERE);
    // The root as a link without a name, which says where its own links are.
    block.put_u64(0);
    block.put_u64(root);
    block.put_u32(1);
    block.put_u32(0);
    block.put_u64(links.tree);
    block.put_u64(links.names);
    block
}

/// Where the file should end, and where the root's header is. `None`, if it is none that this program could have
/// written.
pub(super) fn decode(block: &[u8; BYTES]) -> Option<(u64, u64)> {
    let number = |at: usize| block[at..].first_chunk().copied().map(u64::from_le_bytes);
    let (end, root) = (number(END_AT)?, number(ROOT_AT)?);
    let links = Table {
        tree: number(80)?,
        names: number(88)?,
    };
    (encode(end, root, links) == block).then_some((end, root))
}
