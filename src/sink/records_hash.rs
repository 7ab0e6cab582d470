//! What the records of an input were, as a hash of all that its output depends on.

use crate::fasta::{Outcome, Record, Rejection};

/// What is hashed, and in which form. Another form has another number, so that hashes of different
/// forms are never taken for those of different inputs by chance.
const CONTEXT: &str = "runner 2026-11 records 3";

/// The records up to one of them, in input order: of those that are embedded the id, the description, the
/// residues and how many there were before truncation, of the others the id and the reason.
///
/// It is a chain: the hash up to a record is that of the record, keyed with the hash up to the one
/// before. So it goes on wherever a hash was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsHash(blake3::Hash);

impl RecordsHash {
    /// Of no record.
    pub fn new() -> Self {
        Self(blake3::Hash::from_bytes(blake3::derive_key(CONTEXT, b"")))
    }

    /// From hexadecimal, if it is that.
    pub fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(Self)
    }

    /// In hexadecimal.
    pub fn to_hex(self) -> String {
        self.0.to_hex().to_string()
    }

    /// The hash with what became of the next record.
    #[must_use]
    pub fn with(self, outcome: &Outcome) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(self.0.as_bytes());
        match outcome {
            Outcome::Kept(Record {
                id,
                description,
                sequence,
                length,
                // Whole records are hashed.
                piece: _,
            }) => {
                hasher.update(b"k").update(&length.to_le_bytes());
                add(
                    &mut hasher,
                    [id.as_bytes(), description.as_bytes(), sequence],
                );
            }
            Outcome::Rejected(Rejection { id, reason }) => {
                hasher.update(b"r");
                add(&mut hasher, [id.as_bytes(), reason.as_bytes()]);
            }
        }
        Self(hasher.finalize())
    }
}

impl Default for RecordsHash {
    fn default() -> Self {
        Self::new()
    }
}

/// Each part has its length before it, so that no two records give the same bytes.
fn add<const N: usize>(hasher: &mut blake3::Hasher, parts: [&[u8]; N]) {
    for part in parts {
        hasher
            .update(&(part.len() as u64).to_le_bytes())
            .update(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn kept(id: &str, description: &str, sequence: &str, length: u32) -> Outcome {
        Outcome::Kept(Record {
            id: id.to_owned(),
            description: description.to_owned(),
            sequence: sequence.as_bytes().to_vec(),
            length,
            piece: None,
        })
    }

    fn rejected(id: &str, reason: &str) -> Outcome {
        Outcome::Rejected(Rejection {
            id: id.to_owned(),
            reason: reason.to_owned(),
        })
    }

    #[test]
    fn inputs_that_differ_have_different_hashes() {
        let inputs = [
            vec![],
            // One record or two, with zero bytes in an id where a record could end.
            vec![kept("a\0M\0b", "", "K", 1)],
            vec![kept("a", "", "M", 1), kept("b", "", "K", 1)],
            vec![kept("b", "", "K", 1), kept("a", "", "M", 1)],
            vec![kept("a", "", "M", 1)],
            // What moves from one part to the next.
            vec![kept("a", "M", "", 1)],
            vec![kept("", "a", "M", 1)],
            vec![kept("aM", "", "", 1)],
            // Descriptions, and residues that are not embedded.
            vec![kept("a", "other", "M", 1), kept("b", "", "K", 1)],
            vec![kept("a", "", "M", 2), kept("b", "", "K", 1)],
            // Outcomes.
            vec![kept("a", "", "M", 1), rejected("b", "too short")],
            vec![kept("a", "", "M", 1), rejected("b", "too long")],
            vec![rejected("b", "too short"), kept("a", "", "M", 1)],
            vec![rejected("btoo", " short"), kept("a", "", "M", 1)],
        ];
        let mut seen = BTreeMap::new();
        for (n, outcomes) in inputs.iter().enumerate() {
            let hash = outcomes.iter().fold(RecordsHash::new(), RecordsHash::with);
            if let Some(other) = seen.insert(hash.to_hex(), n) {
                panic!("inputs {other} and {n} have one hash");
            }
        }
    }

    #[test]
    fn a_hash_goes_on_where_it_was_written_down() {
        let outcomes = [kept("a", "", "M", 1), rejected("b", "too short")];
        let first = RecordsHash::new().with(&outcomes[0]);
        let read = RecordsHash::from_hex(&first.to_hex()).unwrap();
        let all = outcomes.iter().fold(RecordsHash::new(), RecordsHash::with);
        assert_eq!(read.with(&outcomes[1]), all);
        assert_eq!(RecordsHash::from_hex("no hash"), None);
    }
}
