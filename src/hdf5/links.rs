//! A link of a group, where a group has its links, and how many of them lie together.

/// Half of the links that a node has at most, as the superblock says it.
pub(super) const HALF_OF_LINKS: u16 = 64;
/// Half of the children that a node of the tree has at most, as the superblock says it.
pub(super) const HALF_OF_CHILDREN: u16 = 64;
/// A name in a group, and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The name, without `/` and zeros. It is neither empty nor `.`, which stands for the group itself.
    pub name: &'a str,
    /// The address of an object header.
    pub object: u64,
}

/// Where the links of a group are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) tree: u64,
    pub(super) names: u64,
}
