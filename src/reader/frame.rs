//! Messages as bytes: a length, a checksum and a postcard-encoded message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, marker::PhantomData};
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// Frames that are longer are garbage. The longest one holds 256 KiB of records and one more: 16 MiB
/// of residues, and a definition line of 1 MiB in which each byte may become four characters.
const MOST_FRAME_BYTES: usize = 64 << 20;
const CHECKSUM_BYTES: usize = size_of::<u32>();

/// Writes messages and reads messages of the type `In`.
pub(super) struct MessageCodec<In> {
    frames: LengthDelimitedCodec,
    incoming: PhantomData<fn() -> In>,
}

/// What is wrong with received bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a frame has the wrong checksum")]
    Checksum,
    #[error("a frame holds no message: {0}")]
    Message(#[from] postcard::Error),
    #[error("a frame holds more than a message")]
    Surplus,
}

impl<In> MessageCodec<In> {
    pub(super) fn new() -> Self {
        let frames = LengthDelimitedCodec::builder()
            .max_frame_length(MOST_FRAME_BYTES)
            .new_codec();
        Self {
            frames,
            incoming: PhantomData,
        }
    }
}

impl<In, Out: Serialize> Encoder<&Out> for MessageCodec<In> {
    type Error = FrameError;

    fn encode(&mut self, message: &Out, out: &mut BytesMut) -> Result<(), FrameError> {
        let mut payload = postcard::to_extend(message, vec![0; CHECKSUM_BYTES])?;
        let checksum = crc32fast::hash(&payload[CHECKSUM_BYTES..]);
        (&mut payload[..CHECKSUM_BYTES]).put_u32_le(checksum);
        Ok(self.frames.encode(Bytes::from(payload), out)?)
    }
}

impl<In: DeserializeOwned> Decoder for MessageCodec<In> {
    type Item = In;
    type Error = FrameError;

    fn decode(&mut self, received: &mut BytesMut) -> Result<Option<In>, FrameError> {
        let Some(mut payload) = self.frames.decode(received)? else {
            return Ok(None);
        };
        if payload.len() < CHECKSUM_BYTES {
            return Err(FrameError::Checksum);
        }
        let checksum = payload.get_u32_le();
        if checksum != crc32fast::hash(&payload) {
            return Err(FrameError::Checksum);
        }
        let (message, surplus) = postcard::take_from_bytes(&payload)?;
        if surplus.is_empty() {
            Ok(Some(message))
        } else {
            Err(FrameError::Surplus)
        }
    }

    /// A frame that never ends is the end of the messages: its sender died, which is not garbage.
    fn decode_eof(&mut self, received: &mut BytesMut) -> Result<Option<In>, FrameError> {
        let message = self.decode(received)?;
        if message.is_none() {
            received.clear();
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fasta::{Characters, Oddity, Outcome, Record, Rejection, Remark},
        reader::{
            gpu::GpuView,
            protocol::{Reply, VERSION},
        },
    };
    use proptest::prelude::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let kept = (".*", ".*", any::<Vec<u8>>(), any::<u32>()).prop_map(
            |(id, description, sequence, length)| {
                Outcome::Kept(Record {
                    id,
                    description,
                    sequence,
                    length,
                    piece: None,
                })
            },
        );
        let rejected =
            (".*", ".*").prop_map(|(id, reason)| Outcome::Rejected(Rejection { id, reason }));
        prop_oneof![kept, rejected]
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let outcomes = proptest::collection::vec(outcome(), 0..10);
        let records =
            (any::<u64>(), any::<u64>(), outcomes).prop_map(|(number, first_index, outcomes)| {
                Reply::Records {
                    number,
                    first_index,
                    disk_bytes: first_index / 2,
                    remarks: vec![Remark {
                        index: number,
                        oddity: Oddity::Glued,
                        count: first_index,
                        characters: Characters::default(),
                    }],
                    outcomes,
                }
            });
        let end = (any::<u64>(), any::<u64>())
            .prop_map(|(number, n_records)| Reply::End { number, n_records });
        let hello =
            (any::<u32>(), proptest::option::of(".*")).prop_map(|(pid, variable)| Reply::Hello {
                version: VERSION,
                pid,
                gpu: GpuView {
                    cuda_visible_devices: variable,
                    libraries: Vec::new(),
                },
            });
        prop_oneof![records, end, hello]
    }

    fn encode(replies: &[Reply]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for reply in replies {
            MessageCodec::<Reply>::new()
                .encode(reply, &mut bytes)
                .unwrap();
        }
        bytes
    }

    /// The message at the beginning of all that will ever come, if there is one.
    fn decode_one(mut bytes: BytesMut) -> Option<Reply> {
        MessageCodec::new().decode_eof(&mut bytes).unwrap_or(None)
    }

    proptest! {
        #[test]
        fn messages_survive_in_pieces(
            replies in proptest::collection::vec(reply(), 1..5),
            piece_len in 1..200usize,
        ) {
            let bytes = encode(&replies);
            let mut codec = MessageCodec::<Reply>::new();
            let mut received = BytesMut::new();
            let mut decoded = Vec::new();
            for piece in bytes.chunks(piece_len) {
                received.extend_from_slice(piece);
                while let Some(reply) = codec.decode(&mut received).unwrap() {
                    decoded.push(reply);
                }
            }
            prop_assert_eq!(decoded, replies);
            prop_assert!(codec.decode_eof(&mut received).unwrap().is_none());
        }

        #[test]
        fn a_changed_byte_is_never_taken_for_a_message(
            reply in reply(),
            index in any::<proptest::sample::Index>(),
            change in 1..=255u8,
        ) {
            let mut bytes = encode(&[reply]);
            let index = index.index(bytes.len());
            bytes[index] ^= change;
            prop_assert!(decode_one(bytes).is_none());
        }

        #[test]
        fn garbage_is_never_taken_for_a_message(garbage in any::<Vec<u8>>()) {
            prop_assert!(decode_one(BytesMut::from(&garbage[..])).is_none());
        }
    }
}
