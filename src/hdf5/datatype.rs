//! What a number or a text is: section IV.A.2.d, version 1.

use super::put::Put as _;

/// What the values of a dataset or of an attribute are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Datatype {
    /// Floating point, 16 bits.
    F16,
    /// Floating point, 32 bits.
    F32,
    /// Whole numbers from 0, 8 bits.
    U8,
    /// Whole numbers, 32 bits.
    I32,
    /// Whole numbers, 64 bits.
    I64,
    /// A text of any length in UTF-8, which lies in a global heap. Those of a fixed length come out of h5py as bytes.
    Text,
}

/// The class of whole numbers.
const FIXED_POINT: u8 = 0;
/// The class of floating-point numbers.
const FLOATING_POINT: u8 = 1;
/// The class of sequences of any length.
const VARIABLE_LENGTH: u8 = 9;
/// The version of the encoding, in the upper half of the byte that holds the class.
const VERSION: u8 = 1 << 4;

impl Datatype {
    const ALL: [Self; 6] = [
        Self::F16,
        Self::F32,
        Self::U8,
        Self::I32,
        Self::I64,
        Self::Text,
    ];

    /// Bytes of a value in a dataset or an attribute.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::I64 => 8,
            // Its length, and where it lies.
            Self::Text => 16,
        }
    }

    /// The message that describes it.
    pub(super) fn encode(self) -> Vec<u8> {
        let bytes = self.bytes();
        match self {
            Self::U8 => fixed_point(bytes, false),
            Self::I32 | Self::I64 => fixed_point(bytes, true),
            Self::F16 => floating_point(bytes, 10, 5),
            Self::F32 => floating_point(bytes, 23, 8),
            Self::Text => {
                // Strings that end with a zero, in UTF-8.
                let mut message = class(VARIABLE_LENGTH, [1, 1, 0], bytes);
                message.extend(fixed_point(1, false));
                message
            }
        }
    }

    /// From the message that describes it. `None`, if it is none of ours.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let is_it = |datatype: &Self| {
            let encoded = datatype.encode();
            let unpadded = message.get(..encoded.len());
            unpadded == Some(encoded.as_slice())
        };
        Self::ALL.into_iter().find(is_it)
    }
}

/// The class, its bits and the size of a value: what every datatype begins with.
fn class(class: u8, bits: [u8; 3], bytes: usize) -> Vec<u8> {
    let mut message = vec![VERSION | class];
    message.extend(bits);
    message.put_u32(bytes as u32);
    message
}

/// Little-endian whole numbers that use all of their bits.
fn fixed_point(bytes: usize, is_signed: bool) -> Vec<u8> {
    let mut message = class(FIXED_POINT, [u8::from(is_signed) << 3, 0, 0], bytes);
    message.put_u16(0);
    message.put_u16(bytes as u16 * 8);
    message
}

/// Little-endian IEEE numbers: from the lowest bit on the mantissa, the exponent, and the sign.
fn floating_point(bytes: usize, mantissa: u8, exponent: u8) -> Vec<u8> {
    /// The highest bit of the mantissa is 1, and is not stored.
    const IMPLIED: u8 = 2 << 4;
    let sign = mantissa + exponent;
    let mut message = class(FLOATING_POINT, [IMPLIED, sign, 0], bytes);
    message.put_u16(0);
    message.put_u16(bytes as u16 * 8);
    message.extend([mantissa, exponent, 0, mantissa]);
    message.put_u32((1 << (exponent - 1)) - 1);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datatypes_are_those_of_the_hdf_library() {
        // As h5py 3.16 writes them with `libver="earliest"`.
        let check = |datatype: Datatype, expected: &[u8]| {
            assert_eq!(datatype.encode(), expected, "{datatype:?}");
            assert_eq!(Datatype::decode(expected), Some(datatype));
        };
        check(
            Datatype::F16,
            b"\x11\x20\x0f\0\x02\0\0\0\0\0\x10\0\x0a\x05\0\x0a\x0f\0\0\0",
        );
        check(
            Datatype::F32,
            b"\x11\x20\x1f\0\x04\0\0\0\0\0\x20\0\x17\x08\0\x17\x7f\0\0\0",
        );
        check(Datatype::I32, b"\x10\x08\0\0\x04\0\0\0\0\0\x20\0");
        check(Datatype::I64, b"\x10\x08\0\0\x08\0\0\0\0\0\x40\0");
        check(Datatype::U8, b"\x10\0\0\0\x01\0\0\0\0\0\x08\0");
        check(
            Datatype::Text,
            b"\x19\x01\x01\0\x10\0\0\0\x10\0\0\0\x01\0\0\0\0\0\x08\0",
        );
        assert_eq!(Datatype::decode(b"\x13\0\0\0\x05\0\0\0"), None);
        assert_eq!(Datatype::decode(b""), None);
    }
}
