//! What the letters of a record say of it: whether they are residues at all.

use super::oddity::Oddity;

/// What the letters of a record say of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// Bits of the letters that came.
    seen: u32,
    /// Brackets in the line.
    n_brackets: u64,
    /// Whether the line has anything but dots and brackets.
    has_letters: bool,
    /// Lines of dots and brackets, without the current one.
    n_bracket_lines: u64,
}

/// A letter of the alphabet. The bits of the letter itself are below.
pub(super) const LETTER: u32 = 1 << 8;
const A: u32 = 1 << 9;
const C: u32 = 1 << 10;
const G: u32 = 1 << 11;
const T_OR_U: u32 = 1 << 12;
/// Not A, C, G, T, U or N.
const NO_NUCLEOTIDE: u32 = 1 << 13;
/// Nor a letter that stands for some of them: B, D, H, K, M, R, S, V, W or Y.
const NO_AMBIGUITY: u32 = 1 << 19;
/// No state of secondary structure as DSSP and its kin write them.
const NO_STATE: u32 = 1 << 14;
/// A helix or a strand.
const HELIX_OR_STRAND: u32 = 1 << 15;
const GAP: u32 = 1 << 16;
const LOWER_CASE: u32 = 1 << 17;
const UPPER_CASE: u32 = 1 << 18;

/// Letters from which on there is no doubt that A, C, G and T are nucleotides.
const MANY_NUCLEOTIDES: u64 = 50;
/// Letters below which they are taken for residues.
const FEW_NUCLEOTIDES: u64 = 10;
/// Letters from which on states are no residues: no protein does with nine kinds of them.
const MANY_STATES: u64 = 15;
/// Brackets and dots below which a line is not called structure.
const FEW_BRACKETS: u64 = 2;

impl Evidence {
    /// The bits of a letter of the alphabet.
    pub(super) const fn of_letter(letter: u8) -> u32 {
        let kind = match letter.to_ascii_uppercase() {
            b'A' => A | NO_STATE,
            b'C' => C,
            b'G' => G,
            b'T' => T_OR_U,
            b'U' => T_OR_U | NO_STATE,
            b'N' => NO_STATE,
            b'-' | b'.' => return LETTER | GAP,
            b'H' => NO_NUCLEOTIDE | HELIX_OR_STRAND,
            b'E' => NO_NUCLEOTIDE | NO_AMBIGUITY | HELIX_OR_STRAND,
            b'B' | b'S' => NO_NUCLEOTIDE,
            b'I' | b'L' | b'P' => NO_NUCLEOTIDE | NO_AMBIGUITY,
            b'D' | b'K' | b'M' | b'R' | b'V' | b'W' | b'Y' => NO_NUCLEOTIDE | NO_STATE,
            _ => NO_NUCLEOTIDE | NO_AMBIGUITY | NO_STATE,
        };
        let case = if letter.is_ascii_lowercase() {
            LOWER_CASE
        } else {
            UPPER_CASE
        };
        LETTER | kind | case
    }

    /// Adds the bits of some letters.
    pub(super) fn add(&mut self, letters: u32) {
        self.seen |= letters;
        self.has_letters |= letters & (LOWER_CASE | UPPER_CASE) != 0;
    }

    /// Adds a masked residue, which may be any.
    pub(super) fn add_mask(&mut self) {
        self.has_letters = true;
    }

    /// Adds a character outside the alphabet.
    pub(super) fn add_foreign(&mut self, character: char) {
        if matches!(character, '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>') {
            self.n_brackets += 1;
        } else {
            // Energies, ends of strands and unpaired bases in the notations of RNA stand there too.
            self.has_letters |= character.is_alphabetic();
        }
    }

    /// A line begins.
    pub(super) fn begin_line(&mut self) {
        self.n_bracket_lines = self.n_bracket_lines();
        self.n_brackets = 0;
        self.has_letters = false;
    }

    /// Lines of dots and brackets.
    pub(super) fn n_bracket_lines(&self) -> u64 {
        let is_structure = !self.has_letters && self.n_brackets >= FEW_BRACKETS;
        self.n_bracket_lines + u64::from(is_structure)
    }

    /// What else a record of `n_residues` is by its letters.
    pub(super) fn oddities(&self, id: &str, n_residues: u64) -> impl Iterator<Item = Oddity> {
        let has = |bits: u32| self.seen & bits != 0;
        let gap = match (has(GAP), has(LOWER_CASE) && has(UPPER_CASE)) {
            (true, true) => Some(Oddity::Insertion),
            (true, false) => Some(Oddity::Gap),
            (false, _) => None,
        };
        let n_kinds = [A, C, G, T_OR_U].iter().filter(|kind| has(**kind)).count();
        let could_be_nucleotides = !has(NO_NUCLEOTIDE) && n_kinds >= 3;
        // One protein in a billion has so many residues and none that is no letter of nucleotides.
        let are_nucleotides = !has(NO_AMBIGUITY) && n_kinds == 4;
        let could_be_states = !has(NO_STATE) && has(HELIX_OR_STRAND);
        let kind = if (could_be_nucleotides || are_nucleotides) && n_residues >= MANY_NUCLEOTIDES {
            Some(Oddity::Nucleotides)
        } else if could_be_nucleotides && n_residues >= FEW_NUCLEOTIDES {
            Some(Oddity::ShortNucleotides)
        } else if id.ends_with(":secstr") || (could_be_states && n_residues >= MANY_STATES) {
            Some(Oddity::SecondaryStructure)
        } else {
            None
        };
        // Dots of dot-bracket notation are no gaps.
        let gap = gap.filter(|_| self.n_bracket_lines() == 0);
        [gap, kind].into_iter().flatten()
    }
}
