//! The header of a dataset or of a group: section IV.A.1.a, version 1.

use super::{message::Message, put::Put as _};

/// Bytes before the first message.
const PREFIX_BYTES: usize = 16;
/// Bytes of a message before what it holds.
const MESSAGE_BYTES: usize = 8;

/// A header with these messages.
pub(super) fn encode(messages: &[Message]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, message) in messages {
        body.put_u16(*kind);
        body.put_u16(message.len().next_multiple_of(8) as u16);
        body.put_u32(0);
        body.extend(message);
        body.align();
    }
    let mut header = vec![1, 0];
    header.put_u16(messages.len() as u16);
    // Links to it.
    header.put_u32(1);
    header.put_u32(body.len() as u32);
    header.align();
    header.extend(body);
    header
}

/// Bytes of the messages behind a prefix. `None`, if it is of another version.
pub(super) fn body_bytes(prefix: &[u8; PREFIX_BYTES]) -> Option<usize> {
    let n_bytes = prefix[8..].first_chunk().copied().map(u32::from_le_bytes)?;
    (prefix[0] == 1).then_some(n_bytes as usize)
}

/// The messages of a body, up to the first that is torn.
pub(super) fn messages(mut body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = body.split_first_chunk::<MESSAGE_BYTES>()?;
        let kind = u16::from_le_bytes([head[0], head[1]]);
        let n_bytes = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let (message, rest) = rest.split_at_checked(n_bytes)?;
        body = rest;
        Some((kind, message))
    })
}
