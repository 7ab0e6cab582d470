//! The proteins that a model is tried with.

use crate::{
    error::Error,
    fasta::{self, InputError, Outcome, PlanFault, Record, UnitReader, Units},
    job::Dataset,
};

/// Proteins, and what became of others.
#[derive(Debug, Default)]
pub(super) struct Proteins {
    pub(super) records: Vec<Record>,
    /// Records that a policy rejected.
    pub(super) n_rejected: usize,
}

/// Reviewed proteins of 50 organisms, of 30 to 994 residues, from UniProt (CC BY 4.0).
const BUILT_IN: &str = include_str!("../../../examples/data/diverse.fasta");

impl Proteins {
    /// Those that come with the program.
    pub(super) fn built_in(take: usize) -> Self {
        let record = |text: &str| {
            let (definition, sequence) = text.split_once('\n').unwrap_or((text, ""));
            let (id, description) = definition.split_once(' ').unwrap_or((definition, ""));
            let sequence: Vec<u8> = sequence.bytes().filter(u8::is_ascii_uppercase).collect();
            Record {
                id: id.to_owned(),
                description: description.to_owned(),
                length: sequence.len() as u32,
                sequence,
                piece: None,
            }
        };
        let records = BUILT_IN.split('>').skip(1).take(take);
        Self {
            records: records.map(record).collect(),
            n_rejected: 0,
        }
    }

    /// Those of `dataset`, under its rules.
    ///
    /// # Errors
    /// If an input cannot be read, or a rule does not allow a record.
    pub(super) fn read(dataset: &Dataset) -> Result<Self, Error> {
        let inputs = fasta::resolve(&dataset.sources)?;
        let name = |input: usize| inputs.get(input).map_or("", |input| input.name.as_str());
        let mut n_left = dataset.take.unwrap_or(u64::MAX);
        let mut proteins = Self::default();
        // One unit is a whole file, so that records are numbered as in the file.
        for unit in Units::new(inputs.clone(), u64::MAX) {
            if n_left == 0 {
                break;
            }
            let unit = unit.map_err(|PlanFault { input, fault }| locate(fault, name(input)))?;
            let fail = |fault: fasta::Fault| locate(fault, name(unit.input));
            let mut reader = UnitReader::open(&unit, dataset.policy.clone()).map_err(fail)?;
            while n_left > 0
                && let Some(outcome) = reader.next_outcome().map_err(fail)?
            {
                n_left -= 1;
                match outcome {
                    Outcome::Kept(record) => proteins.records.push(record),
                    Outcome::Rejected(_) => proteins.n_rejected += 1,
                }
            }
        }
        Ok(proteins)
    }
}

fn locate(fault: fasta::Fault, name: &str) -> InputError {
    fault.locate(name, 0, None, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alphabet::RESIDUES, job::LongSequences};
    use std::collections::BTreeSet;

    #[test]
    fn the_proteins_of_the_program_are_as_they_are_said_to_be() {
        let all = Proteins::built_in(usize::MAX).records;
        let lengths: BTreeSet<_> = all.iter().map(|record| record.length).collect();
        assert_eq!(all.len(), 50);
        assert_eq!(lengths.first(), Some(&30));
        assert_eq!(lengths.last(), Some(&994));
        let ids: BTreeSet<_> = all.iter().map(|record| &record.id).collect();
        assert_eq!(ids.len(), all.len());
        let mut residues = all.iter().flat_map(|record| &record.sequence);
        assert!(residues.all(|residue| RESIDUES.contains(residue)));
        // The program's own reader finds the same.
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/diverse.fasta");
        let read = Proteins::read(&Dataset::new(vec![path.to_owned()])).unwrap();
        assert_eq!(read.records, all);
        assert_eq!(Proteins::built_in(7).records, all[..7]);
    }

    #[test]
    fn proteins_are_read_under_the_rules_of_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fa");
        let long = "M".repeat(LongSequences::TRAINED_RESIDUES + 1);
        std::fs::write(&path, format!(">a\nMKT\n>b\n\n>c\n{long}\n>d\nMK\n")).unwrap();
        let dataset = |take| {
            let sources = vec![path.to_string_lossy().into_owned()];
            Dataset::new(sources).take(take).unwrap()
        };
        let read = Proteins::read(&dataset(3)).unwrap();
        let found: Vec<_> = read
            .records
            .iter()
            .map(|record| (record.id.as_str(), record.sequence.len(), record.length))
            .collect();
        assert_eq!(found, [("a", 3, 3), ("c", 1022, 1023)]);
        assert_eq!(read.n_rejected, 1);
        std::fs::write(&path, ">a\nMKT\n>b\nM\0K\n").unwrap();
        let error = Proteins::read(&dataset(9)).unwrap_err().to_string();
        assert!(error.contains("record 2 (`b`)"), "{error}");
    }
}
