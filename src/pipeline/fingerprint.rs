//! What the input of a run was, as a hash of all that its output depends on.

use crate::fasta::{Outcome, Record, Rejection};

/// What is hashed, and in which form. Another form has another number, so that fingerprints of different
/// forms are never taken for those of different inputs by chance.
const CONTEXT: &str = "runner 2026-11 input_fingerprint 2";

/// Adds up the records of a run, in input order: of those that are embedded the id, the description, the
/// residues and how many there were before truncation, of the others the id and the reason.
pub(super) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self(blake3::Hasher::new_derive_key(CONTEXT))
    }

    /// Adds what became of a record.
    pub(super) fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Kept(Record {
                id,
                description,
                sequence,
                length,
            }) => {
                self.0.update(b"k").update(&length.to_le_bytes());
                self.parts([id.as_bytes(), description.as_bytes(), sequence]);
            }
            Outcome::Rejected(Rejection { id, reason }) => {
                self.0.update(b"r");
                self.parts([id.as_bytes(), reason.as_bytes()]);
            }
        }
    }

    /// Each part has its length before it, so that no two records give the same bytes.
    fn parts<const N: usize>(&mut self, parts: [&[u8]; N]) {
        for part in parts {
            self.0
                .update(&(part.len() as u64).to_le_bytes())
                .update(part);
        }
    }

    /// The hash, in hexadecimal.
    pub(super) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
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
        })
    }

    fn rejected(id: &str, reason: &str) -> Outcome {
        Outcome::Rejected(Rejection {
            id: id.to_owned(),
            reason: reason.to_owned(),
        })
    }

    #[test]
    fn inputs_that_differ_have_different_fingerprints() {
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
            let mut fingerprint = Fingerprint::new();
            outcomes.iter().for_each(|outcome| fingerprint.add(outcome));
            if let Some(other) = seen.insert(fingerprint.finish(), n) {
                panic!("inputs {other} and {n} have one fingerprint");
            }
        }
    }
}
