//! Mutants that are to be scored.

use super::{Dataset, OptionMap, OptionTable, Problem, Problems, row::OptionRow};
use crate::alphabet::RESIDUES;
use std::path::{Path, PathBuf};

/// Mutants that are to be scored.
#[derive(Clone, Debug, PartialEq)]
pub enum Mutants {
    /// Those of a table.
    Table(MutantsTable),
    /// Each residue of each protein, replaced by each of the other 19.
    AllSingle(Dataset),
}

/// A table with a mutant in each row, all of one protein.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutantsTable {
    /// The file, CSV or TSV.
    pub path: PathBuf,
    /// The protein without mutations, in upper case; else it is in `fasta`.
    pub sequence: Option<String>,
    /// A FASTA file with the protein without mutations.
    pub fasta: Option<PathBuf>,
    /// The column with the mutants, such as `A1P:D2N`.
    pub column: String,
    /// Which number the first residue has in that column.
    pub offset: i64,
}

type Row = OptionRow<MutantsTable>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::text("sequence", "a sequence, such as \"MKTVRQERLK\"", check_sequence,
        |to, text| to.sequence = Some(residues(&text)), |of| of.sequence.as_deref().into())
        .doc("the protein without mutations"),
    Row::path("fasta", "a path, such as \"wild_type.fasta\"", |_| Ok(()), |to, path| to.fasta = Some(path),
        |of| of.fasta.as_deref().into())
        .doc("a FASTA file with that protein and no other, in place of `sequence`"),
    Row::text("column", "the name of a column, such as \"mutant\"", |_| Ok(()), |to, text| to.column = text,
        |of| of.column.as_str().into())
        .otherwise("mutant")
        .doc("the column with the mutants: `A1P`, or `A1P:D2N` for several mutations at once. `WT`, `_wt` and an empty \
              field are the wild type"),
    Row::whole("offset", -LARGEST_OFFSET..=LARGEST_OFFSET, |to, n| to.offset = n, |of| of.offset.into())
        .doc("the number that the first residue has in that column"),
];

/// No protein has more residues, nor does its numbering begin further away.
const LARGEST_OFFSET: i64 = 1_000_000;

impl MutantsTable {
    /// Every option of `mutants`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: || Self::new(Path::new("")),
    };

    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            sequence: None,
            fasta: None,
            column: "mutant".to_owned(),
            offset: 1,
        }
    }

    /// The table in a file with the options that a script gave.
    ///
    /// # Errors
    /// Every option that is unknown or of the wrong type, and a wild type that is missing or named twice.
    pub fn from_map(path: &Path, map: OptionMap) -> Result<Self, Problems> {
        let table = Self {
            path: path.to_owned(),
            ..Self::OPTIONS.read(map)?
        };
        let hint = Some(
            "give `sequence: \"MKT…\"`, or `fasta: \"wild_type.fasta\"`, a file with one record"
                .to_owned(),
        );
        match (&table.sequence, &table.fasta) {
            (None, None) => Err(Problems::one(
                "`mutants` is not told the protein without mutations",
                hint,
            )),
            (Some(_), Some(_)) => Err(Problems::one(
                "`mutants` is told the protein twice, as `sequence` and as `fasta`",
                hint,
            )),
            _ => Ok(table),
        }
    }
}

/// The letters of a sequence, in upper case and without the blanks that come of pasting it.
fn residues(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_whitespace());
    letters.map(|letter| letter.to_ascii_uppercase()).collect()
}

/// Checks that a text is a sequence of residues.
fn check_sequence(text: &str) -> Result<(), Problem> {
    let residues = residues(text);
    let is_residue = |letter: char| {
        u8::try_from(letter)
            .is_ok_and(|letter| letter.is_ascii_alphabetic() && RESIDUES.contains(&letter))
    };
    let found = residues.chars().position(|letter| !is_residue(letter));
    let message = match found.and_then(|at| Some((at, residues.chars().nth(at)?))) {
        Some((at, letter)) => format!("residue {} of `sequence` is `{letter}`", at + 1),
        None if residues.is_empty() => "`sequence` has no residues".to_owned(),
        None => return Ok(()),
    };
    Err(Problem {
        message,
        hint: Some("give the letters of amino acids alone, such as \"MKTVRQERLK\"".to_owned()),
        option: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hint::Hint, job::OptionValue};

    fn table(options: &[(&str, OptionValue)]) -> Result<MutantsTable, String> {
        let options = options.iter().cloned();
        let map = options.map(|(name, value)| (name.to_owned(), value));
        MutantsTable::from_map(Path::new("a.csv"), map.collect())
            .map_err(|problems| problems.in_full())
    }

    #[test]
    fn a_table_has_one_wild_type() {
        let found = table(&[("sequence", " mk t\nV".into()), ("offset", 24i64.into())]).unwrap();
        assert_eq!(found.sequence.as_deref(), Some("MKTV"));
        assert_eq!((found.column.as_str(), found.offset), ("mutant", 24));
        let check = |options: &[(&str, OptionValue)], expect: &str| {
            let message = table(options).unwrap_err();
            assert!(message.contains(expect), "{message}");
        };
        check(&[], "is not told the protein");
        let both = [("sequence", "MK".into()), ("fasta", "a.fa".into())];
        check(&both, "is told the protein twice");
        check(
            &[("sequence", "MKJ".into())],
            "residue 3 of `sequence` is `J`",
        );
        check(
            &[("sequence", "M-".into())],
            "residue 2 of `sequence` is `-`",
        );
        check(
            &[("sequence", "MKé".into())],
            "residue 3 of `sequence` is `é`",
        );
        check(&[("sequence", "  ".into())], "no residues");
        check(&[("colum", "a".into())], "did you mean `column`?");
    }
}
