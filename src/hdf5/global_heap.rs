//! Where texts of any length lie: section III.E.

use super::put::Put as _;

const SIGNATURE: [u8; 4] = *b"GCOL";
/// Bytes of a collection before its first object, and of an object before what it holds.
const HEAD_BYTES: usize = 16;
/// Bytes that a text takes beside its letters, at most.
pub(super) const TEXT_BYTES: usize = HEAD_BYTES + 8;
/// The HDF library reads so many bytes of each collection at first.
const LEAST_BYTES: usize = 4096;
/// A collection with so many bytes is full. Whoever reads one text of it reads all.
pub(super) const FULL_BYTES: usize = 16 * 1024;

/// Where a text lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) n_bytes: u32,
    /// The address of the collection; 0 for an empty text, which lies nowhere.
    pub(super) collection: u64,
    pub(super) index: u16,
}

impl Place {
    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        self.n_bytes == 0
    }
}

/// Texts that lie together.
pub(super) struct Collection {
    address: u64,
    bytes: Vec<u8>,
    n_texts: u16,
}

impl Collection {
    /// An empty collection that will be written to `address`.
    pub(super) fn at(address: u64) -> Self {
        let bytes = vec![0; HEAD_BYTES];
        Self {
            address,
            bytes,
            n_texts: 0,
        }
    }

    /// Takes a text.
    pub(super) fn add(&mut self, text: &str) -> Place {
        let n_bytes = text.len() as u32;
        if text.is_empty() {
            return Place {
                n_bytes,
                collection: 0,
                index: 0,
            };
        }
        self.n_texts += 1;
        self.bytes.put_u16(self.n_texts);
        // References to it: the HDF library writes none.
        self.bytes.put_u16(0);
        self.bytes.put_u32(0);
        self.bytes.put_u64(text.len() as u64);
        self.bytes.extend(text.as_bytes());
        self.bytes.align();
        Place {
            n_bytes,
            collection: self.address,
            index: self.n_texts,
        }
    }

    /// Whether the next text should lie in another collection.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES
    }

    /// All of its bytes; none, if no text lies in it.
    pub(super) fn encode(mut self) -> Vec<u8> {
        if self.n_texts == 0 {
            return Vec::new();
        }
        // What is left is an object with the number 0, which needs a head.
        let n_bytes = (self.bytes.len() + HEAD_BYTES).max(LEAST_BYTES);
        let n_free = n_bytes - self.bytes.len();
        self.bytes.put_u64(0);
        self.bytes.put_u64(n_free as u64);
        self.bytes.put_zeros_to(n_bytes);
        let mut head = SIGNATURE.to_vec();
        head.put_u32(1);
        head.put_u64(n_bytes as u64);
        self.bytes[..HEAD_BYTES].copy_from_slice(&head);
        self.bytes
    }
}

/// Bytes of the collection that begins with `head`. `None`, if none does.
pub(super) fn collection_bytes(head: &[u8; HEAD_BYTES]) -> Option<u64> {
    let n_bytes = head[8..].first_chunk().copied().map(u64::from_le_bytes);
    n_bytes.filter(|_| head.starts_with(&SIGNATURE))
}

/// Where in a collection a text is.
pub(super) fn find(collection: &[u8], place: Place) -> Option<std::ops::Range<usize>> {
    let mut at = HEAD_BYTES;
    loop {
        let head = collection.get(at..)?.first_chunk::<HEAD_BYTES>()?;
        let index = u16::from_le_bytes([head[0], head[1]]);
        let n_bytes = head[8..].first_chunk().copied().map(u64::from_le_bytes)?;
        let n_bytes = usize::try_from(n_bytes).ok()?;
        at += HEAD_BYTES;
        if index == 0 {
            return None;
        }
        if index == place.index {
            let is_it = n_bytes == place.n_bytes as usize && at + n_bytes <= collection.len();
            return is_it.then_some(at..at + n_bytes);
        }
        at = at.checked_add(n_bytes)?.checked_next_multiple_of(8)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again() {
        let mut collection = Collection::at(800);
        let long = "x".repeat(FULL_BYTES);
        let texts = ["a", "", "é/é", "12345678", &long];
        let places = texts.map(|text| collection.add(text));
        assert!(collection.is_full());
        let bytes = collection.encode();
        let head = bytes.first_chunk().unwrap();
        assert_eq!(collection_bytes(head), Some(bytes.len() as u64));
        assert_eq!((places[1].n_bytes, places[1].collection), (0, 0));
        for (text, place) in texts.iter().zip(places) {
            let found = find(&bytes, place).map(|range| &bytes[range]);
            let expected = (!text.is_empty()).then_some(text.as_bytes());
            assert_eq!(found, expected);
        }
        let shorter = Place {
            n_bytes: 7,
            ..places[3]
        };
        assert_eq!(find(&bytes, shorter), None);
        assert_eq!(find(&bytes[..60], places[3]), None);
    }

    #[test]
    fn the_space_behind_the_texts_is_free() {
        assert!(Collection::at(0).encode().is_empty());
        let mut collection = Collection::at(0);
        collection.add("abc");
        let bytes = collection.encode();
        assert_eq!(bytes.len(), LEAST_BYTES);
        // Head, one object of 16 + 8 bytes, and all the others.
        assert_eq!(bytes[40..48], [0; 8]);
        assert_eq!(bytes[48..56], (LEAST_BYTES as u64 - 40).to_le_bytes());
    }
}
