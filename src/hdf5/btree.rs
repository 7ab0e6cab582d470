//! The trees that lead to the links of a group and to the chunks of a dataset: section III.A.1.
//!
//! A tree is written from its leaves to its root, when all that it leads to is in the file.

use super::{
    put::{NOWHERE, Put as _},
    writer::Writer,
};
use std::io;

const SIGNATURE: [u8; 4] = *b"TREE";
/// Bytes of a node before its first key.
pub(super) const HEAD_BYTES: usize = 24;

/// A kind of tree.
pub(super) struct Kind {
    /// What the format calls it.
    pub(super) number: u8,
    /// Bytes of a key.
    pub(super) key_bytes: usize,
    /// Children of a node at most.
    pub(super) most_children: usize,
}

impl Kind {
    /// Bytes of a node, however many children it has.
    pub(super) fn node_bytes(&self) -> usize {
        HEAD_BYTES + (self.most_children + 1) * self.key_bytes + self.most_children * 8
    }
}

/// Something that a node leads to.
pub(super) struct Child {
    /// What is left of it: smaller than all in it, or the first in it, as the kind of tree has it.
    pub(super) key: Vec<u8>,
    pub(super) address: u64,
}

/// Writes a tree over `children`; `last` is the key right of the last of them. Returns the address of the root.
pub(super) fn write(
    writer: &mut Writer,
    kind: &Kind,
    mut children: Vec<Child>,
    last: &[u8],
) -> io::Result<u64> {
    for level in 0.. {
        children = write_level(writer, kind, level, &children, last)?;
        if let [root] = children.as_slice() {
            return Ok(root.address);
        }
    }
    unreachable!("each level has fewer nodes than the one below")
}

/// Writes the nodes of a level, at least one. Returns them.
fn write_level(
    writer: &mut Writer,
    kind: &Kind,
    level: u8,
    children: &[Child],
    last: &[u8],
) -> io::Result<Vec<Child>> {
    let first = writer.align()?;
    let node_bytes = kind.node_bytes().next_multiple_of(8);
    let n_nodes = children.len().div_ceil(kind.most_children).max(1);
    let address = |n_node: usize| first + (n_node * node_bytes) as u64;
    let mut nodes = Vec::with_capacity(n_nodes);
    for n_node in 0..n_nodes {
        let start = n_node * kind.most_children;
        let end = children.len().min(start + kind.most_children);
        let mut node = SIGNATURE.to_vec();
        node.extend([kind.number, level]);
        node.put_u16((end - start) as u16);
        node.put_u64(n_node.checked_sub(1).map_or(NOWHERE, address));
        let has_right = n_node + 1 < n_nodes;
        node.put_u64(if has_right {
            address(n_node + 1)
        } else {
            NOWHERE
        });
        for child in &children[start..end] {
            node.extend(&child.key);
            node.put_u64(child.address);
        }
        node.extend(children.get(end).map_or(last, |next| &next.key));
        node.put_zeros_to(node_bytes);
        writer.put(&node)?;
        nodes.push(Child {
            key: children
                .get(start)
                .map_or(last, |child| &child.key)
                .to_vec(),
            address: address(n_node),
        });
    }
    Ok(nodes)
}

/// The level and the addresses of a node's children. `None`, if it is no node of this kind.
pub(super) fn decode(kind: &Kind, node: &[u8]) -> Option<(u8, Vec<u64>)> {
    let &[number, level, low, high] = node.strip_prefix(&SIGNATURE)?.first_chunk()?;
    let n_children = usize::from(u16::from_le_bytes([low, high]));
    let entries = node.get(HEAD_BYTES..)?;
    let addresses = (0..n_children).map(|n_child| {
        let at = n_child * (kind.key_bytes + 8) + kind.key_bytes;
        entries
            .get(at..)?
            .first_chunk()
            .copied()
            .map(u64::from_le_bytes)
    });
    let addresses = addresses.collect::<Option<Vec<_>>>()?;
    (number == kind.number).then_some((level, addresses))
}
