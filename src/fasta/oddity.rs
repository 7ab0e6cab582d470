//! What can be odd about a record: text that is FASTA by its form and may not be proteins.

use super::{
    character::Characters,
    error::{Fault, FaultPlace},
};
use serde::{Deserialize, Serialize};

/// Something odd about a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Oddity {
    /// Its definition line has no id.
    Nameless,
    /// Its definition line has NUL bytes.
    NulInName,
    /// Lines within it are comments.
    Comment,
    /// A `>` stands inside a sequence line.
    Glued,
    /// It has characters outside the alphabet.
    Foreign,
    /// It has gaps.
    Gap,
    /// It has gaps, and letters of both cases.
    Insertion,
    /// It is a nucleotide sequence by its letters, and long enough to be sure.
    Nucleotides,
    /// It may be a nucleotide sequence by its letters, and is short.
    ShortNucleotides,
    /// Lines within it are dots and brackets.
    Brackets,
    /// Its letters are states of secondary structure.
    SecondaryStructure,
    /// Its definition line is that of a PIR file.
    Pir,
    /// A carriage return without a line feed ends a line.
    CarriageReturn,
    /// A sequence line has NUL bytes.
    Nul,
    /// Its definition line is longer than one can be.
    LongDefinition,
}

/// What an oddity does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// A warning at the end of the file.
    Warn,
    /// The run stops.
    Stop,
}

/// What becomes of an oddity, and what people are told.
pub(super) struct Rule {
    pub(super) oddity: Oddity,
    pub(super) severity: Severity,
    /// What is counted beside records, if anything is, one and several: "2 comment lines in 1 record were
    /// skipped".
    pub(super) counted: Option<[&'static str; 2]>,
    /// What is said of one of them, and of several.
    pub(super) text: [&'static str; 2],
    /// How to mend it, or nothing where that is clear.
    pub(super) remedy: &'static str,
}

const REMOVE_GAPS: &str = "`sed '/^>/!s/[.-]//g' aligned.fasta > plain.fasta` removes gaps";

const fn warn(
    oddity: Oddity,
    counted: Option<[&'static str; 2]>,
    text: [&'static str; 2],
    remedy: &'static str,
) -> Rule {
    Rule {
        oddity,
        severity: Severity::Warn,
        counted,
        text,
        remedy,
    }
}

const fn stop(oddity: Oddity, text: &'static str, remedy: &'static str) -> Rule {
    Rule {
        oddity,
        severity: Severity::Stop,
        counted: None,
        text: [text; 2],
        remedy,
    }
}

/// Every oddity, in the order in which a file's warnings come.
pub(super) const RULES: [Rule; 15] = [
    warn(
        Oddity::Nameless,
        None,
        [
            "has no name; its id is empty",
            "have no name; their id is empty",
        ],
        "",
    ),
    warn(
        Oddity::NulInName,
        Some(["NUL byte", "NUL bytes"]),
        ["stands in definition lines", "stand in definition lines"],
        "is the file damaged, or UTF-16 in part?",
    ),
    warn(
        Oddity::Comment,
        Some(["comment line", "comment lines"]),
        ["was skipped", "were skipped"],
        "lines that begin with `;`, `#` or `!` are comments, not residues",
    ),
    warn(
        Oddity::Glued,
        Some(["character `>`", "characters `>`"]),
        [
            "stands inside sequence lines",
            "stand inside sequence lines",
        ],
        "does a line feed miss before a definition line? then two records became one",
    ),
    warn(
        Oddity::Foreign,
        Some([
            "character outside the alphabet",
            "characters outside the alphabet",
        ]),
        ["", ""],
        "",
    ),
    warn(
        Oddity::Gap,
        None,
        [
            "holds gaps (`-` or `.`), which become tokens of ESM-2",
            "hold gaps (`-` or `.`), which become tokens of ESM-2",
        ],
        REMOVE_GAPS,
    ),
    warn(
        Oddity::Insertion,
        None,
        [
            "holds gaps and mixes cases, as rows of A3M and A2M alignments do; gaps become tokens of ESM-2",
            "hold gaps, and some mix cases, as rows of A3M and A2M alignments do; gaps become tokens of ESM-2",
        ],
        REMOVE_GAPS,
    ),
    warn(
        Oddity::Nucleotides,
        None,
        [
            "looks like nucleotides, and ESM-2 reads proteins",
            "look like nucleotides, and ESM-2 reads proteins",
        ],
        "translate them first, with `seqkit translate` for example",
    ),
    warn(
        Oddity::ShortNucleotides,
        None,
        [
            "is short and looks like nucleotides, and ESM-2 reads proteins",
            "are short and look like nucleotides, and ESM-2 reads proteins",
        ],
        "translate them first, with `seqkit translate` for example",
    ),
    warn(
        Oddity::Brackets,
        Some(["line of dots and brackets", "lines of dots and brackets"]),
        ["stands among the residues", "stand among the residues"],
        "they are structure in dot-bracket notation: remove them",
    ),
    warn(
        Oddity::SecondaryStructure,
        None,
        [
            "looks like secondary structure, not residues",
            "look like secondary structure, not residues",
        ],
        "remove the records that hold states such as H, E and C",
    ),
    stop(
        Oddity::Pir,
        "the definition line is that of a PIR (NBRF) file, where a title follows that would be read as residues",
        "convert the file to FASTA: `seqret pir::old.pir fasta::new.fasta`",
    ),
    stop(
        Oddity::CarriageReturn,
        "lines end in carriage returns without line feeds, as on old Macs",
        "convert the file: `tr '\\r' '\\n' < old.fasta > new.fasta`",
    ),
    stop(
        Oddity::Nul,
        "a sequence line holds NUL bytes: the file is damaged, or UTF-16 in part",
        "copy or export it again, as UTF-8",
    ),
    stop(
        Oddity::LongDefinition,
        "a definition line has more than 1048576 bytes",
        "does a line feed miss behind it?",
    ),
];

impl Oddity {
    pub(super) fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }

    /// The fault of an oddity that stops the run.
    pub(super) fn fault(self, place: FaultPlace) -> Fault {
        let rule = self.rule();
        assert_eq!(rule.severity, Severity::Stop);
        Fault {
            place,
            message: rule.text[0].to_owned(),
            hint: Some(rule.remedy.to_owned()),
        }
    }
}

/// An oddity of one record, on its way to the warning about its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The record's index in its work unit, from 0.
    pub index: u64,
    /// What is odd.
    pub oddity: Oddity,
    /// How often, or how long the record is.
    pub count: u64,
    /// Which characters are outside the alphabet.
    pub characters: Characters,
}

impl Remark {
    /// Bytes that it takes in memory and in a frame, about.
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.characters.size_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_oddity_has_its_rule() {
        for (index, rule) in RULES.iter().enumerate() {
            assert_eq!(rule.oddity as usize, index, "{:?}", rule.oddity);
            assert!(rule.severity == Severity::Warn || !rule.remedy.is_empty());
        }
    }
}
