//! A table of mutants of one protein.

use super::{
    ScoreError,
    contents::Contents,
    mutant_list::MutantList,
    mutated_sequences::MutatedSequences,
    mutation::mutations,
    protein::{Found, Protein, try_each},
    table_file::TableFile,
};
use crate::{
    cancel::CancelToken,
    fasta,
    job::{Dataset, LongSequences, MutantsTable, ResiduePolicy},
    text::{counted, printable_line},
};
use ::csv::ByteRecord;

/// The column in which ProteinGym has what was measured.
const MEASURED: &str = "DMS_score";

/// A table of mutants of one protein, all of which are known to be such.
pub(super) struct MutantTable {
    pub(super) spec: MutantsTable,
    pub(super) wild_type: Protein,
    /// Each different mutant, in the order in which they come.
    pub(super) variants: MutantList,
    /// Which of them each row is.
    rows: Vec<u32>,
    /// Bytes of the fields, with what ends them.
    pub(super) n_bytes: u64,
    /// What the file held.
    content: blake3::Hash,
    /// What is odd about it.
    pub(super) warnings: Vec<String>,
    cancel: CancelToken,
}

/// A row of the table.
pub(super) struct Row<'a> {
    pub(super) fields: &'a ByteRecord,
    pub(super) variant: usize,
    /// What was measured of the mutant, if the table says so.
    pub(super) measured: Option<f64>,
}

impl MutantTable {
    /// Reads a table, and its protein.
    ///
    /// # Errors
    /// They cannot be read, or a row is no mutant of the protein.
    pub(super) fn read(spec: &MutantsTable, cancel: &CancelToken) -> Result<Self, ScoreError> {
        let mut warnings = Vec::new();
        let wild_type = wild_type(spec, cancel, &mut warnings)?;
        let mut file = TableFile::open(&spec.path, cancel)?;
        let column = column(&file, spec)?;
        let measured = file.column(MEASURED)?;
        let mut sequences = MutatedSequences::of(&file, &spec.column)?;
        let mut commas = Commas::default();
        let mut found = Self {
            spec: spec.clone(),
            wild_type,
            variants: MutantList::new(),
            rows: Vec::new(),
            n_bytes: n_bytes(file.header()),
            content: blake3::Hash::from_bytes([0; 32]),
            warnings,
            cancel: cancel.clone(),
        };
        let mut hasher = hasher(file.header());
        while let Some(row) = file.next_row()? {
            add(&mut hasher, row);
            found.n_bytes += n_bytes(row);
            measured
                .iter()
                .for_each(|&column| commas.look_at(&row[column]));
            let text = String::from_utf8_lossy(&row[column]).into_owned();
            let protein = (found.wild_type.sequence.as_slice(), spec.offset);
            let read = mutations(&text, protein.0, protein.1).and_then(|mutations| {
                sequences.look_at(row, &mutations, protein)?;
                Ok(mutations)
            });
            let mutations = read.map_err(|(message, hint)| file.wrong(message, Some(hint)))?;
            let number = u32::try_from(found.variants.number(&mutations));
            let number = number.map_err(|_| file.wrong("too many mutants".to_owned(), None))?;
            found.rows.push(number);
        }
        if found.rows.is_empty() {
            let hint = "give a table with a mutant in each row";
            return Err(ScoreError::table(file.name(), "has no rows", hint));
        }
        found.content = hasher.finalize();
        found.warnings.extend(file.warning());
        found.warnings.extend(sequences.warning(file.name()));
        found.warnings.extend(commas.warning(file.name()));
        Ok(found)
    }

    /// Adds all that its scores depend on, but for the wild type.
    pub(super) fn add_to(&self, contents: &mut Contents) {
        let Self {
            spec,
            wild_type: _,
            variants,
            rows,
            content,
            warnings: _,
            n_bytes: _,
            cancel: _,
        } = self;
        // Where the protein is written, and how it is numbered, shows in the protein and its mutants.
        let MutantsTable {
            path: _,
            sequence: _,
            fasta: _,
            column,
            offset: _,
        } = spec;
        contents.text(column.as_bytes());
        contents.text(content.as_bytes());
        contents.number(variants.len() as u64);
        variants.iter().for_each(|variant| contents.mutant(variant));
        contents.number(rows.len() as u64);
        rows.iter().for_each(|row| contents.number(u64::from(*row)));
    }

    /// Rows of the table.
    pub(super) fn n_rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Reads the table again, and does something with its header and each of its rows.
    ///
    /// # Errors
    /// It has changed, or something fails.
    pub(super) fn try_each<T>(
        &self,
        begin: impl FnOnce(&TableFile) -> Result<T, ScoreError>,
        mut each: impl FnMut(&mut T, Row<'_>) -> Result<(), ScoreError>,
    ) -> Result<T, ScoreError> {
        let changed = || ScoreError::Changed(self.spec.path.display().to_string());
        let mut file = TableFile::open(&self.spec.path, &self.cancel)?;
        let measured = file.column(MEASURED)?;
        let mut hasher = hasher(file.header());
        let mut begun = begin(&file)?;
        let mut variants = self.rows.iter();
        while let Some(row) = file.next_row()? {
            add(&mut hasher, row);
            let variant = *variants.next().ok_or_else(changed)? as usize;
            let row = Row {
                fields: row,
                variant,
                measured: measured.and_then(|column| number(&row[column])),
            };
            each(&mut begun, row)?;
        }
        match hasher.finalize() == self.content {
            true => Ok(begun),
            false => Err(changed()),
        }
    }
}

/// The number that a field holds.
fn number(field: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(field).ok()?;
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then_some(number)
}

/// Numbers that were measured, and are written with a comma.
#[derive(Default)]
struct Commas {
    n_fields: u64,
    first: String,
}

impl Commas {
    fn look_at(&mut self, field: &[u8]) {
        let text = String::from_utf8_lossy(field);
        if number(field).is_none() && number(text.replacen(',', ".", 1).as_bytes()).is_some() {
            if self.n_fields == 0 {
                self.first = text.trim().to_owned();
            }
            self.n_fields += 1;
        }
    }

    fn warning(&self, file: &str) -> Option<String> {
        let Self { n_fields, first } = self;
        (*n_fields > 0).then(|| {
            format!(
                "`{}`: {} of `{MEASURED}` with a decimal comma, such as `{first}`, are no numbers, and left out of \
                 Spearman's correlation (write decimal points)",
                printable_line(file),
                counted(*n_fields, "field", "fields"),
            )
        })
    }
}

/// The protein without mutations.
fn wild_type(
    spec: &MutantsTable,
    cancel: &CancelToken,
    warnings: &mut Vec<String>,
) -> Result<Protein, ScoreError> {
    if let Some(sequence) = &spec.sequence {
        return Ok(Protein {
            number: 1,
            id: "wild type".to_owned(),
            sequence: sequence.clone().into_bytes(),
            n_residues: u32::try_from(sequence.len()).unwrap_or(u32::MAX),
            is_truncated: false,
        });
    }
    let path = spec.fasta.as_deref().unwrap_or(&spec.path);
    let name = path.display().to_string();
    let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
    let mut policy = dataset.policy.clone();
    policy.long_sequences = LongSequences::Error(usize::MAX);
    policy.residues = ResiduePolicy::Error;
    let inputs = fasta::resolve(&dataset.sources)?;
    let mut proteins = Vec::new();
    let found = try_each(&inputs, &policy, Some(2), cancel, |found| {
        if let Found::Protein(protein) = found {
            proteins.push(protein);
        }
        Ok(())
    })?;
    warnings.extend(found);
    let hint = "give a file with one record, or the protein itself as `sequence`";
    match (proteins.pop(), proteins.pop()) {
        (Some(protein), None) => Ok(protein),
        (None, _) => Err(ScoreError::table(&name, "has no protein", hint)),
        _ => Err(ScoreError::table(&name, "has several records", hint)),
    }
}

fn column(file: &TableFile, spec: &MutantsTable) -> Result<usize, ScoreError> {
    file.column(&spec.column)?.ok_or_else(|| {
        ScoreError::table(
            file.name(),
            format!("has no column `{}`, but {}", spec.column, file.columns()),
            "name one of them as `column`",
        )
    })
}

fn hasher(header: &ByteRecord) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, header);
    hasher
}

/// Bytes of a row as it is written, without quotes.
fn n_bytes(record: &ByteRecord) -> u64 {
    (record.as_slice().len() + record.len()) as u64
}

/// Fields with their lengths, so that no two rows look the same.
fn add(hasher: &mut blake3::Hasher, record: &ByteRecord) {
    hasher.update(&(record.len() as u64).to_le_bytes());
    for field in record {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cancel::StopReason, hint::Hint};
    use std::{fs, path::Path};

    fn read(folder: &Path, text: &str, wild_type: &str) -> Result<MutantTable, String> {
        fs::write(folder.join("a.csv"), text).unwrap();
        let options = [("sequence", wild_type), ("column", "mutant")];
        let options = options.map(|(name, text)| (name.to_owned(), text.into()));
        let spec = MutantsTable::from_map(&folder.join("a.csv"), options.into());
        MutantTable::read(&spec.unwrap(), &CancelToken::default()).map_err(|error| error.in_full())
    }

    #[test]
    fn rows_are_mutants() {
        let folder = tempfile::tempdir().unwrap();
        let text = "x,mutant,DMS_score\n1,K2A,0.5\n2,WT,\n3,\"M1P:K2A\",n/a\n4,K2A,-1e3\n";
        let table = read(folder.path(), text, "MKT").unwrap();
        assert_eq!(table.n_rows(), 4);
        let lengths: Vec<_> = table.variants.iter().map(<[_]>::len).collect();
        assert_eq!(lengths, [1, 0, 2]);
        let found = table.try_each(
            |_| Ok(Vec::new()),
            |found, row| {
                found.push((row.variant, row.measured, row.fields[0].to_vec()));
                Ok(())
            },
        );
        let expect = [
            (0, Some(0.5), "1"),
            (1, None, "2"),
            (2, None, "3"),
            (0, Some(-1000.0), "4"),
        ];
        let expect =
            expect.map(|(variant, measured, x)| (variant, measured, x.as_bytes().to_vec()));
        assert_eq!(found.unwrap(), expect);
        fs::write(folder.path().join("a.csv"), text.replace("0.5", "0.6")).unwrap();
        let changed = table.try_each(|_| Ok(()), |_, _| Ok(()));
        assert!(matches!(changed, Err(ScoreError::Changed(_))));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expect: &str| {
            let message = read(folder.path(), text, "MKT").err().unwrap();
            assert!(message.contains(expect), "{message}");
        };
        check(
            "mutants\nM1A\n",
            "has no column `mutant`, but `mutants` (name one of them as `column`)",
        );
        check(
            "mutant\nM1A\nA1P\n",
            "a.csv`, line 3: `A1P` has A as the wild type",
        );
        check("mutant\n", "has no rows");
        check(
            "mutant,x, mutant\nM1A,1,M1P\n",
            "has several columns `mutant`",
        );
        check(
            "mutant,DMS_score,DMS_score\nM1A,1,2\n",
            "has several columns `DMS_score`",
        );
    }

    #[test]
    fn decimal_commas_are_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let warnings = |text: &str| read(folder.path(), text, "MKT").unwrap().warnings;
        let found = warnings("mutant;DMS_score\nM1A;1.5\nM1C;-0,5\nM1D;1,25\nM1E;n/a\n");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("2 fields of `DMS_score` with a decimal comma, such as `-0,5`"),
            "{found:?}"
        );
        assert!(warnings("mutant,DMS_score\nM1A,1.5\nM1C,\n").is_empty());
    }

    #[test]
    fn whoever_is_told_to_stop_reads_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let cancel = CancelToken::default();
        cancel.cancel(StopReason::Terminated);
        let path = folder.path().join("a.csv");
        fs::write(&path, "mutant\nM1A\n").unwrap();
        let options = [("sequence".to_owned(), "MKT".into())];
        let spec = MutantsTable::from_map(&path, options.into()).unwrap();
        let found = MutantTable::read(&spec, &cancel);
        assert!(matches!(
            found,
            Err(ScoreError::Stopped(StopReason::Terminated))
        ));
    }

    #[test]
    fn the_wild_type_is_one_record() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a.csv"), "mutant\nM1A\n").unwrap();
        let check = |text: &str, expect: &str| {
            fs::write(at("a.fa"), text).unwrap();
            let path = at("a.fa").to_string_lossy().into_owned();
            let options = [("fasta".to_owned(), path.as_str().into())];
            let spec = MutantsTable::from_map(&at("a.csv"), options.into()).unwrap();
            let found =
                MutantTable::read(&spec, &CancelToken::default()).map_err(|error| error.in_full());
            match found {
                Ok(table) => assert_eq!(table.wild_type.sequence, expect.as_bytes()),
                Err(message) => assert!(message.contains(expect), "{message}"),
            }
        };
        check(">a\nmk\nt\n", "MKT");
        check(">a\nMK\n>b\nMK\n", "has several records");
        check(">a\n", "has no protein");
        check(
            ">a\nM1K\n",
            "`1` behind 1 residues is not in the model's alphabet",
        );
    }
}
