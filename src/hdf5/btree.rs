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

#[cfg(test)]
mod tests {
    use super::{super::superblock::Superblock, *};
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn every_level_leads_to_the_one_below() {
        let kind = Kind {
            number: 1,
            key_bytes: 8,
            most_children: 3,
        };
        for n_children in [0, 1, 3, 4, 9, 10, 100] {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut writer = Writer::new(file.reopen().unwrap()).unwrap();
            let children = (0..n_children).map(|n: u64| Child {
                key: (10 * n).to_le_bytes().to_vec(),
                address: 1000 + n,
            });
            let last = (10 * n_children).to_le_bytes();
            let root = write(&mut writer, &kind, children.collect(), &last).unwrap();
            writer
                .seal(vec![0; 64], 0..64, &Superblock::default())
                .unwrap();
            let node = |address: u64| {
                let mut node = vec![0; kind.node_bytes()];
                file.as_file().read_exact_at(&mut node, address).unwrap();
                node
            };
            let number = |node: &[u8], at: usize| {
                u64::from_le_bytes(node[at..].first_chunk().copied().unwrap())
            };
            let mut nodes = vec![root];
            loop {
                let read: Vec<_> = nodes.iter().map(|at| (*at, node(*at))).collect();
                // Neighbours know each other, and share a key.
                for pair in read.windows(2) {
                    let [(left_at, left), (right_at, right)] = pair else {
                        unreachable!()
                    };
                    assert_eq!((number(left, 16), number(right, 8)), (*right_at, *left_at));
                    let n_left = decode(&kind, left).unwrap().1.len();
                    assert_eq!(
                        number(left, HEAD_BYTES + 16 * n_left),
                        number(right, HEAD_BYTES)
                    );
                }
                assert_eq!(number(&read[0].1, 8), NOWHERE);
                assert_eq!(number(&read[read.len() - 1].1, 16), NOWHERE);
                let below = read.iter().map(|(_, node)| decode(&kind, node).unwrap());
                let (levels, children): (Vec<_>, Vec<_>) = below.unzip();
                nodes = children.concat();
                if levels[0] == 0 {
                    break;
                }
            }
            assert!(nodes.into_iter().eq(1000..1000 + n_children));
        }
    }
}
