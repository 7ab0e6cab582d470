//! A group's links, in the order of their names: sections III.B and III.C.

use super::{
    btree::{self, Child, Kind},
    links::{HALF_OF_CHILDREN, HALF_OF_LINKS, Link, Table},
    local_heap::{self, EMPTY_NAME},
    put::Put as _,
    writer::Writer,
};
use std::io;

const SIGNATURE: [u8; 4] = *b"SNOD";
/// Links of a node at most.
const MOST_LINKS: usize = HALF_OF_LINKS as usize * 2;
/// Bytes of a link.
const LINK_BYTES: usize = 40;
/// Bytes of a node before its first link.
const HEAD_BYTES: usize = 8;
/// Bytes of a node, however many links it has.
pub(super) const NODE_BYTES: usize = HEAD_BYTES + MOST_LINKS * LINK_BYTES;

/// The tree of a group's links. Its keys are places of names: left of a child is the last name of the child before.
pub(super) const TREE: Kind = Kind {
    number: 0,
    key_bytes: 8,
    most_children: HALF_OF_CHILDREN as usize * 2,
};

/// Writes links, whose names differ and are in their order.
pub(super) fn write(writer: &mut Writer, links: &[Link<'_>]) -> io::Result<Table> {
    let names = local_heap::write(writer, links)?;
    let mut places = local_heap::places(links);
    let mut key = EMPTY_NAME;
    let mut children = Vec::with_capacity(links.len().div_ceil(MOST_LINKS));
    for links in links.chunks(MOST_LINKS) {
        let address = writer.align()?;
        let mut node = SIGNATURE.to_vec();
        node.extend([1, 0]);
        node.put_u16(links.len() as u16);
        let mut last = key;
        for (link, place) in links.iter().zip(&mut places) {
            node.put_u64(place);
            node.put_u64(link.object);
            // Nothing of the object is repeated here.
            node.put_zeros_to(node.len() + 24);
            last = place;
        }
        node.put_zeros_to(NODE_BYTES);
        writer.put(&node)?;
        children.push(Child {
            key: key.to_le_bytes().to_vec(),
            address,
        });
        key = last;
    }
    let tree = btree::write(writer, &TREE, children, &key.to_le_bytes())?;
    Ok(Table { tree, names })
}

/// The places of names and the objects of a node's links. `None`, if it is no such node.
pub(super) fn decode(node: &[u8]) -> Option<Vec<(u64, u64)>> {
    let &[1, 0, low, high] = node.strip_prefix(&SIGNATURE)?.first_chunk()? else {
        return None;
    };
    let n_links = usize::from(u16::from_le_bytes([low, high]));
    let links = node.get(HEAD_BYTES..)?.get(..n_links * LINK_BYTES)?;
    let links = links.chunks_exact(LINK_BYTES).map(|link| {
        let number = |at: usize| link[at..].first_chunk().copied().map(u64::from_le_bytes);
        Some((number(0)?, number(8)?))
    });
    links.collect()
}
