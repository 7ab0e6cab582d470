//! The messages that an object header is made of: section IV.A.2.

use super::{
    Datatype,
    global_heap::Place,
    put::{NOWHERE, Put as _},
};

/// The shape of a dataset or of an attribute.
pub(super) const DATASPACE: u16 = 0x01;
/// What its values are.
pub(super) const DATATYPE: u16 = 0x03;
/// What is read where nothing was written.
pub(super) const FILL_VALUE: u16 = 0x05;
/// Where the values of a dataset are.
pub(super) const LAYOUT: u16 = 0x08;
/// Something that is said of an object.
pub(super) const ATTRIBUTE: u16 = 0x0C;
/// Where the links of a group are.
pub(super) const SYMBOL_TABLE: u16 = 0x11;

/// The version of a message with a layout.
const LAYOUT_VERSION: u8 = 3;
const CONTIGUOUS: u8 = 1;
const CHUNKED: u8 = 2;

/// A message: what it is, and what it holds.
pub(super) type Message = (u16, Vec<u8>);

/// Where the values of a dataset are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One after the other from an address on.
    Contiguous {
        /// The address.
        address: u64,
    },
    /// In chunks of some rows.
    Chunked {
        /// The tree that has their addresses.
        tree: u64,
        /// Rows of a chunk.
        rows: u32,
    },
}

/// The shape: section IV.A.2.b, version 1. Without any dimension it is that of a single value.
pub(super) fn dataspace(shape: &[u64]) -> Vec<u8> {
    let mut message = vec![1, shape.len() as u8];
    message.put_zeros_to(8);
    for size in shape {
        message.put_u64(*size);
    }
    message
}

/// The dimensions of a shape. `None`, if the message is none of ours.
pub(super) fn decode_dataspace(message: &[u8]) -> Option<Vec<u64>> {
    let [1, rank, rest @ ..] = message else {
        return None;
    };
    let sizes = rest.get(6..)?.get(..usize::from(*rank) * 8)?;
    let sizes = sizes.chunks_exact(8);
    let sizes = sizes.map(|size| size.try_into().map(u64::from_le_bytes).ok());
    sizes.collect()
}

/// Zeros where nothing was written, which is nowhere: section IV.A.2.f, version 2. Some libraries do without the
/// message; the HDF library always writes it.
pub(super) fn fill_value(layout: &Layout) -> Vec<u8> {
    let space_comes = match layout {
        Layout::Contiguous { .. } => 2,
        Layout::Chunked { .. } => 3,
    };
    vec![2, space_comes, 2, 1, 0, 0, 0, 0]
}

/// Where the values are: section IV.A.2.i, version 3.
pub(super) fn layout(layout: &Layout, shape: &[u64], datatype: Datatype) -> Vec<u8> {
    match *layout {
        Layout::Contiguous { address } => {
            let n_bytes = shape.iter().product::<u64>() * datatype.bytes() as u64;
            let mut message = vec![LAYOUT_VERSION, CONTIGUOUS];
            message.put_u64(if n_bytes == 0 { NOWHERE } else { address });
            message.put_u64(n_bytes);
            message
        }
        Layout::Chunked { tree, rows } => {
            let mut message = vec![LAYOUT_VERSION, CHUNKED, shape.len() as u8 + 1];
            message.put_u64(tree);
            message.put_u32(rows);
            for size in shape.iter().skip(1) {
                message.put_u32(*size as u32);
            }
            message.put_u32(datatype.bytes() as u32);
            message
        }
    }
}

/// Where the values are. `None`, if the message is none of ours.
pub(super) fn decode_layout(message: &[u8]) -> Option<Layout> {
    let address = |bytes: &[u8]| bytes.first_chunk().copied().map(u64::from_le_bytes);
    match message {
        [LAYOUT_VERSION, CONTIGUOUS, rest @ ..] => Some(Layout::Contiguous {
            address: address(rest)?,
        }),
        [LAYOUT_VERSION, CHUNKED, _, rest @ ..] => Some(Layout::Chunked {
            tree: address(rest)?,
            rows: rest
                .get(8..)?
                .first_chunk()
                .copied()
                .map(u32::from_le_bytes)?,
        }),
        _ => None,
    }
}

/// An attribute with a single value: section IV.A.2.m, version 1.
pub(super) fn attribute(name: &str, datatype: Datatype, value: &[u8]) -> Vec<u8> {
    let encoded = datatype.encode();
    let space = dataspace(&[]);
    let mut message = vec![1, 0];
    message.put_u16(name.len() as u16 + 1);
    message.put_u16(encoded.len() as u16);
    message.put_u16(space.len() as u16);
    message.extend(name.as_bytes());
    message.push(0);
    message.align();
    message.extend(encoded);
    message.align();
    message.extend(space);
    message.extend(value);
    message
}

/// The name, the datatype if it is one of ours, and the value of an attribute. `None`, if it is none of ours.
pub(super) fn decode_attribute(message: &[u8]) -> Option<(String, Option<Datatype>, &[u8])> {
    let size = |at: usize| {
        let size = message.get(at..)?.first_chunk().copied();
        size.map(|size| usize::from(u16::from_le_bytes(size)))
    };
    if message.first() != Some(&1) {
        return None;
    }
    let datatype_at = 8 + size(2)?.next_multiple_of(8);
    let space_at = datatype_at + size(4)?.next_multiple_of(8);
    let value_at = space_at + size(6)?.next_multiple_of(8);
    let name = message.get(8..)?.split(|byte| *byte == 0).next()?;
    let name = String::from_utf8(name.to_vec()).ok()?;
    let datatype = Datatype::decode(message.get(datatype_at..space_at)?);
    let is_single = decode_dataspace(message.get(space_at..value_at)?)?.is_empty();
    let datatype = datatype.filter(|_| is_single);
    Some((name, datatype, message.get(value_at..)?))
}

/// The value of an attribute that is a text: section III.E has where it lies.
pub(super) fn text(place: Place) -> Vec<u8> {
    let mut value = Vec::new();
    value.put_u32(place.n_bytes);
    value.put_u64(place.collection);
    value.put_u32(u32::from(place.index));
    value
}

/// Where a text lies that is the value of an attribute.
pub(super) fn decode_text(value: &[u8]) -> Option<Place> {
    Some(Place {
        n_bytes: value.first_chunk().copied().map(u32::from_le_bytes)?,
        collection: value
            .get(4..)?
            .first_chunk()
            .copied()
            .map(u64::from_le_bytes)?,
        index: value
            .get(12..)?
            .first_chunk()
            .copied()
            .map(u16::from_le_bytes)?,
    })
}

/// Where the links of a group are: section IV.A.2.r.
pub(super) fn symbol_table(tree: u64, names: u64) -> Vec<u8> {
    let mut message = Vec::new();
    message.put_u64(tree);
    message.put_u64(names);
    message
}

/// The addresses of a group's tree and of its names.
pub(super) fn decode_symbol_table(message: &[u8]) -> Option<(u64, u64)> {
    let tree = message.first_chunk().copied().map(u64::from_le_bytes)?;
    let names = message.get(8..)?.first_chunk().copied();
    Some((tree, names.map(u64::from_le_bytes)?))
}
