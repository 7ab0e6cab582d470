//! The residues of one record, collected line by line.

use crate::job::ResiduePolicy;

/// What a byte of a sequence line means: one of these, or the upper-case letter of the alphabet.
const BLANK: u8 = 0;
const STOP: u8 = 1;
const FOREIGN: u8 = 2;

/// The letters that ESM-2 has tokens for. `*` is not among them.
const ALPHABET: &[u8; 27] = b"LAGVSERTIDPKQNFYMHWCXBUZO.-";

const MEANING: [u8; 256] = {
    let mut meaning = [FOREIGN; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        let letter = ALPHABET[index];
        meaning[letter as usize] = letter;
        meaning[letter.to_ascii_lowercase() as usize] = letter;
        index += 1;
    }
    let blanks = b" \t\r\n\x0b\x0c";
    let mut index = 0;
    while index < blanks.len() {
        meaning[blanks[index] as usize] = BLANK;
        index += 1;
    }
    meaning[b'*' as usize] = STOP;
    meaning
};

/// The residues of one record. Only the first ones are kept, so that a chromosome among proteins
/// costs no memory.
pub(super) struct Residues {
    policy: ResiduePolicy,
    n_kept_at_most: usize,
    /// The first residues, upper-case.
    pub(super) sequence: Vec<u8>,
    /// All residues.
    pub(super) n_residues: u64,
    /// Characters outside the alphabet.
    pub(super) n_foreign: u64,
    /// Stops that are dropped if nothing follows.
    n_stops: u64,
}

/// A character that the policy does not allow.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ForeignCharacter {
    pub(super) byte: u8,
    /// Residues before it.
    pub(super) n_residues_before: u64,
}

impl Residues {
    pub(super) fn new(policy: ResiduePolicy, n_kept_at_most: usize) -> Self {
        Self {
            policy,
            n_kept_at_most,
            sequence: Vec::new(),
            n_residues: 0,
            n_foreign: 0,
            n_stops: 0,
        }
    }

    /// Adds a line of the record, or a part of one.
    ///
    /// # Errors
    /// The first character outside the alphabet, under the policy `error`.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), ForeignCharacter> {
        let all_letters = text.iter().all(|&byte| MEANING[byte as usize] > FOREIGN);
        if all_letters && self.n_stops == 0 {
            let n_kept = text.len().min(self.n_kept_at_most - self.sequence.len());
            self.sequence
                .extend(text[..n_kept].iter().map(|&byte| MEANING[byte as usize]));
            self.n_residues += text.len() as u64;
            return Ok(());
        }
        for &byte in text {
            match MEANING[byte as usize] {
                BLANK => {}
                STOP => self.n_stops += 1,
                meaning => {
                    self.stops_were_inside()?;
                    if meaning == FOREIGN {
                        self.foreign(byte)?;
                    } else {
                        self.keep(meaning);
                    }
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, residue: u8) {
        if self.sequence.len() < self.n_kept_at_most {
            self.sequence.push(residue);
        }
        self.n_residues += 1;
    }

    fn foreign(&mut self, byte: u8) -> Result<(), ForeignCharacter> {
        self.n_foreign += 1;
        match self.policy {
            ResiduePolicy::Unk => self.keep(byte.to_ascii_uppercase()),
            ResiduePolicy::Strip => {}
            ResiduePolicy::Error => {
                return Err(ForeignCharacter {
                    byte,
                    n_residues_before: self.n_residues,
                });
            }
        }
        Ok(())
    }

    /// A `*` with something behind it is a character outside the alphabet.
    fn stops_were_inside(&mut self) -> Result<(), ForeignCharacter> {
        for _ in 0..std::mem::take(&mut self.n_stops) {
            self.foreign(b'*')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ResiduePolicy::{Error, Strip, Unk};

    /// The lines are given with `|` between them. Errors show as `byte@residues before`.
    fn check(policy: ResiduePolicy, lines: &str, expect: &str) {
        let mut residues = Residues::new(policy, 8);
        let got = lines
            .split('|')
            .try_for_each(|line| residues.push(line.as_bytes()))
            .map_or_else(
                |error| format!("{}@{}", error.byte as char, error.n_residues_before),
                |()| String::from_utf8_lossy(&residues.sequence).into_owned(),
            );
        assert_eq!(got, expect, "{lines:?} under {policy:?}");
    }

    #[test]
    fn letters_become_upper_case_and_blanks_vanish() {
        check(Unk, "mkt|V", "MKTV");
        check(Unk, "M K\tT\r|V ", "MKTV");
        check(Error, "xbuzo.-", "XBUZO.-");
        check(Unk, "MKTVMKTVMKTV|MKTV", "MKTVMKTV");
        check(Unk, "", "");
    }

    #[test]
    fn only_final_stops_are_dropped() {
        for policy in [Unk, Strip, Error] {
            check(policy, "MKT*", "MKT");
            check(policy, "MKT|**| *\r", "MKT");
            check(policy, "*", "");
        }
        check(Unk, "M*K*", "M*K");
        check(Strip, "M*|K*", "MK");
        check(Error, "M|*|K", "*@1");
    }

    #[test]
    fn characters_outside_the_alphabet_follow_the_policy() {
        check(Unk, "MjK1", "MJK1");
        check(Strip, "MjK1", "MK");
        check(Error, "MKj1", "j@2");
        check(Error, "MK|>A", ">@2");
    }

    #[test]
    fn residues_are_counted_beyond_those_kept() {
        let mut residues = Residues::new(Unk, 3);
        residues.push(b"MKTVA").unwrap();
        residues.push(b"M*J 1A*").unwrap();
        assert_eq!(residues.sequence, b"MKT");
        // M, *, J, 1 and A of the second line.
        assert_eq!((residues.n_residues, residues.n_foreign), (10, 3));
    }
}
