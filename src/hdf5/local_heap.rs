//! The names of a group's links: section III.D.

use super::{links::Link, put::Put as _, writer::Writer};
use std::io;

const SIGNATURE: [u8; 4] = *b"HEAP";
/// Bytes before the names.
const HEAD_BYTES: u64 = 32;
/// Where the list of free blocks begins, if there is none.
const NO_FREE_BLOCK: u64 = 1;
/// The first name is empty: it is smaller than all others, as the tree of the links needs one.
pub(super) const EMPTY_NAME: u64 = 0;

/// The bytes that a name takes.
fn room(name: &str) -> u64 {
    (name.len() as u64 + 1).next_multiple_of(8)
}

/// The place of each link's name in the heap.
pub(super) fn places<'a>(links: &'a [Link<'_>]) -> impl Iterator<Item = u64> + 'a {
    links.iter().scan(room(""), |next, link| {
        let place = *next;
        *next += room(link.name);
        Some(place)
    })
}

/// Writes the names of all links. Returns the address of the heap.
pub(super) fn write(writer: &mut Writer, links: &[Link<'_>]) -> io::Result<u64> {
    let address = writer.align()?;
    let n_bytes = room("") + links.iter().map(|link| room(link.name)).sum::<u64>();
    let mut head = SIGNATURE.to_vec();
    head.put_u32(0);
    head.put_u64(n_bytes);
    head.put_u64(NO_FREE_BLOCK);
    head.put_u64(address + HEAD_BYTES);
    writer.put(&head)?;
    let mut name_bytes = Vec::new();
    for name in std::iter::once("").chain(links.iter().map(|link| link.name)) {
        name_bytes.clear();
        name_bytes.extend(name.as_bytes());
        name_bytes.push(0);
        name_bytes.align();
        writer.put(&name_bytes)?;
    }
    Ok(address)
}

/// The address and the bytes of the names of the heap that begins with `head`. `None`, if none does.
pub(super) fn names_at(head: &[u8; HEAD_BYTES as usize]) -> Option<(u64, u64)> {
    let number = |at: usize| head[at..].first_chunk().copied().map(u64::from_le_bytes);
    let is_heap = head.starts_with(&SIGNATURE);
    is_heap.then_some((number(24)?, number(8)?))
}

/// The name at a place. `None`, if there is none.
pub(super) fn name_at(names: &[u8], place: u64) -> Option<String> {
    let rest = names.get(usize::try_from(place).ok()?..)?;
    let name = rest.split(|byte| *byte == 0).next()?;
    String::from_utf8(name.to_vec()).ok()
}
