//! The column in which ProteinGym has the whole sequence of each mutant, compared with what its name says.

use super::{ScoreError, copy::residue, mutation::Mutation, table_file::TableFile};
use crate::text::{counted, printable_line};
use ::csv::ByteRecord;

/// The column in which ProteinGym has the whole sequence of each mutant.
const COLUMN: &str = "mutated_sequence";
/// The column in which it has the mutants.
const MUTANTS: &str = "mutant";

/// The sequences of mutants that a table has, if it has some.
pub(super) struct MutatedSequences {
    column: Option<usize>,
    /// Those of another length than the protein, which nobody can compare.
    n_others: u64,
}

impl MutatedSequences {
    /// Those of a table whose mutants are in this column. Where that is not the one that sequences go with, they are not
    /// looked at.
    ///
    /// # Errors
    /// There are several columns of one of the names.
    pub(super) fn of(file: &TableFile, mutants: &str) -> Result<Self, ScoreError> {
        let is_theirs = mutants == MUTANTS || file.column(MUTANTS)?.is_none();
        let column = match is_theirs && mutants != COLUMN {
            true => file.column(COLUMN)?,
            false => None,
        };
        Ok(Self {
            column,
            n_others: 0,
        })
    }

    /// Compares the sequence of a row, if it has one, with the mutations that it names, where the protein's first residue
    /// has the number `offset`.
    ///
    /// # Errors
    /// What is wrong with it, and how to mend it.
    pub(super) fn look_at(
        &mut self,
        row: &ByteRecord,
        mutations: &[Mutation],
        (wild_type, offset): (&[u8], i64),
    ) -> Result<(), (String, String)> {
        let field = self
            .column
            .map_or(&[][..], |column| row[column].trim_ascii());
        let sequence = field.strip_suffix(b"*").unwrap_or(field);
        if sequence.is_empty() {
            return Ok(());
        }
        if sequence.len() != wild_type.len() {
            self.n_others += 1;
            return Ok(());
        }
        let mut sites = sequence.iter().map(u8::to_ascii_uppercase).enumerate();
        let differs = |(site, found): &(usize, u8)| *found != residue(wild_type, mutations, *site);
        let Some((site, found)) = sites.find(differs) else {
            return Ok(());
        };
        Err((
            format!(
                "`{COLUMN}` has {} at site {}, and the protein with these mutations has {} there",
                char::from(found),
                site as i64 + offset,
                char::from(residue(wild_type, mutations, site)),
            ),
            format!(
                "check the mutant, the protein, and which number its first residue has: `offset`; a column that is \
                 about something else is not looked at under another name than `{COLUMN}`"
            ),
        ))
    }

    /// What is odd about them, of a file of this name.
    pub(super) fn warning(&self, file: &str) -> Option<String> {
        (self.n_others > 0).then(|| {
            format!(
                "`{}`: {} of `{COLUMN}` with more or fewer residues than the protein, as of another stretch of it, not \
                 compared with the mutants",
                printable_line(file),
                counted(self.n_others, "field", "fields"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_compared_with_mutants() {
        let check = |field: &str, expect: Option<&str>, n_others: u64| {
            let mut sequences = MutatedSequences {
                column: Some(1),
                n_others: 0,
            };
            let row = ByteRecord::from(vec!["K2A", field]);
            let mutations = [Mutation { site: 1, to: b'A' }];
            let found = sequences.look_at(&row, &mutations, (b"MKT", 24));
            assert_eq!(sequences.n_others, n_others, "{field}");
            match (expect, found) {
                (None, found) => assert_eq!(found, Ok(()), "{field}"),
                (Some(expect), Err((message, _))) => assert!(message.contains(expect), "{message}"),
                (Some(_), Ok(())) => panic!("{field}"),
            }
        };
        check("MAT", None, 0);
        check(" mat* ", None, 0);
        check("", None, 0);
        check("MATV", None, 1);
        check(
            "MKT",
            Some("has K at site 25, and the protein with these mutations has A"),
            0,
        );
        check("MAV", Some("has V at site 26"), 0);
    }
}
