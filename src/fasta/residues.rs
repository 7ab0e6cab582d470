//! The residues of one record, collected line by line.

use super::{
    character::{Character, Characters},
    definition::without_marks,
    guess::{Evidence, LETTER},
};
use crate::{
    alphabet::{MASK_RESIDUE, MASK_TEXT, RESIDUES},
    job::ResiduePolicy,
};
use memchr::memchr;

/// What a byte of a sequence line means: one of these, or the upper-case letter of the alphabet.
const BLANK: u8 = 0;
const STOP: u8 = 1;
const FOREIGN: u8 = 2;

/// What every byte of a sequence line means, in the lowest byte, and above it what the letter says
/// of the record. So one look tells all of a line whose bytes are letters.
static MEANING: [u32; 256] = {
    let mut meaning = [FOREIGN as u32; 256];
    let mut index = 0;
    while index < RESIDUES.len() {
        let letter = RESIDUES[index];
        let lower = letter.to_ascii_lowercase();
        meaning[lower as usize] = letter as u32 | Evidence::of_letter(lower);
        meaning[letter as usize] = letter as u32 | Evidence::of_letter(letter);
        index += 1;
    }
    let blanks = b" \t\r\n\x0b\x0c";
    let mut index = 0;
    while index < blanks.len() {
        meaning[blanks[index] as usize] = BLANK as u32;
        index += 1;
    }
    meaning[b'*' as usize] = STOP as u32;
    meaning
};

/// The residue in place of a character that is more than a byte. It is outside the alphabet.
const MANY_BYTES: u8 = b'?';

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
    pub(super) foreign: Characters,
    /// Comment lines.
    pub(super) n_comments: u64,
    /// What the letters say of the record.
    pub(super) evidence: Evidence,
    /// Stops that are dropped if nothing follows.
    n_stops: u64,
    /// Characters of `<mask>` that came last, while it is not whole.
    n_of_mask: usize,
    /// Whether the line is a comment.
    in_comment: bool,
    /// Whether a carriage return came before in the line.
    carriage_return: bool,
}

/// Why a record is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The policy does not allow a character.
    Foreign {
        character: Character,
        /// Residues before it.
        n_residues_before: u64,
    },
    /// Something follows a carriage return.
    CarriageReturn,
    /// It has a NUL byte.
    Nul,
    /// It ends within a `<mask>`.
    BrokenMask,
}

impl Residues {
    pub(super) fn new(policy: ResiduePolicy, n_kept_at_most: usize) -> Self {
        Self {
            policy,
            n_kept_at_most,
            sequence: Vec::new(),
            n_residues: 0,
            foreign: Characters::default(),
            n_comments: 0,
            evidence: Evidence::default(),
            n_stops: 0,
            n_of_mask: 0,
            in_comment: false,
            carriage_return: false,
        }
    }

    /// Adds a line of the record, or a part of one.
    ///
    /// # Errors
    /// What does not allow the record: the first character outside the alphabet under the policy
    /// `error`, a lone carriage return, a NUL byte.
    pub(super) fn push(&mut self, mut text: &[u8], begins_line: bool) -> Result<(), Refusal> {
        if begins_line {
            text = without_marks(text);
            self.begin_line(text)?;
        }
        if self.in_comment {
            // What follows may be residues.
            let has_carriage_return = memchr(b'\r', text.trim_ascii_end()).is_some();
            return if has_carriage_return {
                Err(Refusal::CarriageReturn)
            } else {
                Ok(())
            };
        }
        if let Some(line) = text.strip_suffix(b"\n") {
            text = line.strip_suffix(b"\r").unwrap_or(line);
        }
        let in_between = self.n_stops > 0 || self.carriage_return || self.n_of_mask > 0;
        if in_between || !self.push_letters(text) {
            self.push_characters(text)?;
        }
        Ok(())
    }

    /// The record is over.
    ///
    /// # Errors
    /// What does not allow it: the beginning of a `<mask>` at its end. A line break before its `>` makes a definition
    /// line of what follows.
    pub(super) fn end(&mut self) -> Result<(), Refusal> {
        // Nothing follows it.
        self.carriage_return = false;
        match self.n_of_mask == MASK_TEXT.len() - 1 {
            true => Err(Refusal::BrokenMask),
            false => self.end_mask(),
        }
    }

    fn begin_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.evidence.begin_line();
        self.carriage_return = false;
        self.in_comment = matches!(line, [b';' | b'#' | b'!', ..]);
        if !self.in_comment {
            return Ok(());
        }
        if self.policy == ResiduePolicy::Error {
            return self.foreign(char::from(line[0]).into(), line[0]);
        }
        self.n_comments += 1;
        Ok(())
    }

    /// Adds a text if all of it is letters.
    fn push_letters(&mut self, text: &[u8]) -> bool {
        let n_before = self.sequence.len();
        let (kept, rest) = text.split_at(text.len().min(self.n_kept_at_most - n_before));
        let (mut all, mut any) = (LETTER, 0);
        self.sequence.extend_from_slice(kept);
        // A loop of its own keeps both sums in registers, which `extend` does not.
        for byte in &mut self.sequence[n_before..] {
            let meaning = MEANING[usize::from(*byte)];
            all &= meaning;
            any |= meaning;
            *byte = meaning as u8;
        }
        for &byte in rest {
            let meaning = MEANING[usize::from(byte)];
            all &= meaning;
            any |= meaning;
        }
        if all == 0 {
            self.sequence.truncate(n_before);
            return false;
        }
        self.n_residues += text.len() as u64;
        self.evidence.add(any);
        true
    }

    fn push_characters(&mut self, text: &[u8]) -> Result<(), Refusal> {
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                self.push_character(character)?;
            }
            for &byte in chunk.invalid() {
                self.end_mask()?;
                self.end_stops()?;
                self.foreign(Character::of_byte(byte), MANY_BYTES)?;
            }
        }
        Ok(())
    }

    fn push_character(&mut self, character: char) -> Result<(), Refusal> {
        let byte = u8::try_from(character).ok().filter(u8::is_ascii);
        let meaning = byte.map_or(FOREIGN.into(), |byte| MEANING[usize::from(byte)]);
        if meaning as u8 != BLANK && !self.is_of_mask(byte) {
            self.end_mask()?;
        }
        match (self.is_of_mask(byte), self.carriage_return) {
            (true, false) => self.push_of_mask(),
            (true, true) => Err(Refusal::CarriageReturn),
            (false, _) => self.push_single(character, byte, meaning),
        }
    }

    /// Whether `byte` goes on with a `<mask>`, or begins one. Blanks and line breaks in it vanish as everywhere.
    fn is_of_mask(&self, byte: Option<u8>) -> bool {
        byte == Some(MASK_TEXT.as_bytes()[self.n_of_mask])
    }

    fn push_of_mask(&mut self) -> Result<(), Refusal> {
        self.n_of_mask += 1;
        if self.n_of_mask == MASK_TEXT.len() {
            self.n_of_mask = 0;
            self.end_stops()?;
            self.evidence.add_mask();
            self.keep(MASK_RESIDUE);
        }
        Ok(())
    }

    /// What began as a `<mask>` and is none is a `<` and letters.
    fn end_mask(&mut self) -> Result<(), Refusal> {
        let n_of_mask = std::mem::take(&mut self.n_of_mask);
        for &byte in &MASK_TEXT.as_bytes()[..n_of_mask] {
            let meaning = MEANING[usize::from(byte)];
            self.push_single(char::from(byte), Some(byte), meaning)?;
        }
        Ok(())
    }

    /// Adds a character that is no part of a `<mask>`.
    fn push_single(
        &mut self,
        character: char,
        byte: Option<u8>,
        meaning: u32,
    ) -> Result<(), Refusal> {
        match (meaning as u8, byte) {
            (BLANK, byte) => self.carriage_return |= byte == Some(b'\r'),
            _ if self.carriage_return => return Err(Refusal::CarriageReturn),
            (_, Some(0)) => return Err(Refusal::Nul),
            (STOP, _) => self.n_stops += 1,
            (FOREIGN, byte) => {
                self.end_stops()?;
                self.evidence.add_foreign(character);
                self.foreign(character.into(), byte.unwrap_or(MANY_BYTES))?;
            }
            (letter, _) => {
                self.end_stops()?;
                self.evidence.add(meaning);
                self.keep(letter);
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

    fn foreign(&mut self, character: Character, residue: u8) -> Result<(), Refusal> {
        self.foreign.add(character, 1);
        match self.policy {
            ResiduePolicy::Unk => self.keep(residue.to_ascii_uppercase()),
            ResiduePolicy::Strip => {}
            ResiduePolicy::Error => {
                return Err(Refusal::Foreign {
                    character,
                    n_residues_before: self.n_residues,
                });
            }
        }
        Ok(())
    }

    /// A `*` with something behind it is a character outside the alphabet.
    fn end_stops(&mut self) -> Result<(), Refusal> {
        for _ in 0..std::mem::take(&mut self.n_stops) {
            self.foreign('*'.into(), b'*')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alphabet::text;
    use ResiduePolicy::{Error, Strip, Unk};

    /// The lines are given with `|` between them. Refusals show as `character@residues before`.
    fn check(policy: ResiduePolicy, lines: &str, expect: &str) {
        let mut residues = Residues::new(policy, 8);
        let pushed = lines
            .split('|')
            .try_for_each(|line| residues.push(format!("{line}\n").as_bytes(), true))
            .and_then(|()| residues.end());
        let got = match pushed {
            Ok(()) => text(&residues.sequence),
            Err(Refusal::Foreign {
                character,
                n_residues_before,
            }) => format!("{character}@{n_residues_before}"),
            Err(refusal) => format!("{refusal:?}"),
        };
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
        check(Error, "MK| >A", ">@2");
        check(Unk, "MéK\u{200b}", "M?K?");
        check(Strip, "MéK\u{200b}", "MK");
        check(Error, "MKé", "é@2");
    }

    #[test]
    fn masks_are_residues() {
        for policy in [Unk, Strip, Error] {
            check(policy, "MK<mask>V", "MK<mask>V");
            check(policy, "<mask><mask>|<mask>", "<mask><mask><mask>");
            check(policy, "mk<ma|sk>v*", "MK<mask>V");
            check(policy, "MK<|m|a s|\tk\r|>V", "MK<mask>V");
            check(policy, "A<mask>CDEFGHIK", "A<mask>CDEFGH");
            check(policy, "MK|<mask|", "BrokenMask");
        }
        // As tokenisers do, one is known in lower case only.
        check(Unk, "<MASK>", "<MASK>");
        check(Strip, "M<MASK>", "MMASK");
        check(Error, "M<Mask>", "<@1");
        let mut residues = Residues::new(Unk, 8);
        for part in ["M*<mas", "k><m", "ask"] {
            residues
                .push(part.as_bytes(), part.starts_with('M'))
                .unwrap();
        }
        residues.push(b">\n", false).unwrap();
        residues.end().unwrap();
        let masks = [b'M', b'*', MASK_RESIDUE, MASK_RESIDUE];
        assert_eq!(residues.sequence, masks);
        assert_eq!((residues.n_residues, residues.foreign.total()), (4, 1));
    }

    #[test]
    fn what_is_no_mask_follows_the_policy() {
        check(Unk, "M<K>V", "M<K>V");
        check(Unk, "M<mas<mask>", "M<MAS<mask>");
        check(Unk, "M<mas|", "M<MAS");
        check(Unk, "M<<ma*K", "M<<MA*K");
        check(Unk, "<maské", "<MASK?");
        check(Strip, "M<mas<", "MMAS");
        check(Strip, "M*<", "M");
        check(Error, "M<mas", "<@1");
        check(Error, "M*<mas", "*@1");
        check(Unk, "MK<\r\r|", "MK<");
        check(Unk, "MK<m\ra", "CarriageReturn");
        check(Unk, "M<m\0", "Nul");
    }

    #[test]
    fn comments_are_no_residues() {
        for comment in ["; note", "#MKT", "!"] {
            check(Unk, &format!("MK|{comment}|TV"), "MKTV");
            check(Strip, &format!("MK|{comment}"), "MK");
            check(
                Error,
                &format!("MK|{comment}|TV"),
                &format!("{}@2", &comment[..1]),
            );
        }
        check(Unk, "\u{feff}; note|MK", "MK");
    }

    #[test]
    fn what_follows_a_carriage_return_is_refused() {
        check(Unk, "MK\r\r|T", "MKT");
        check(Unk, "MK\rT", "CarriageReturn");
        check(Strip, "MK\r>b", "CarriageReturn");
        check(Strip, "MK\r *", "CarriageReturn");
        check(Unk, "MK|; note\rTV", "CarriageReturn");
        check(Unk, "MK\0T", "Nul");
    }

    #[test]
    fn residues_are_counted_beyond_those_kept() {
        let mut residues = Residues::new(Unk, 3);
        residues.push(b"MKTVA\n", true).unwrap();
        residues.push(b"M*J ", true).unwrap();
        residues.push(b"1A*", false).unwrap();
        assert_eq!(residues.sequence, b"MKT");
        // M, *, J, 1 and A of the second line.
        assert_eq!((residues.n_residues, residues.foreign.total()), (10, 3));
    }

    #[test]
    fn a_character_counts_once_however_many_bytes_it_has() {
        let mut residues = Residues::new(Unk, 99);
        residues.push("M\u{a0}\u{201c}é".as_bytes(), true).unwrap();
        residues.push(b"\xff\xfeK\n", false).unwrap();
        assert_eq!((residues.n_residues, residues.foreign.total()), (7, 5));
    }
}
