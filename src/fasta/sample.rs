//! How much inputs hold, found by reading a part of them.

use super::{
    Compression, Input, InputError, InputKind, Offset, Outcome, PlanFault, UnitReader, Units,
};
use crate::job::{LongSequences, RecordPolicy};
use std::collections::BTreeMap;

/// Bytes on the disk that are read at most, about. Inputs that have no more are counted.
const MOST_SAMPLED_BYTES: u64 = 64 << 20;
/// How often a long file that cannot be entered in its middle is looked at while it is read.
const RECORDS_BETWEEN_LOOKS: u64 = 256;

/// How much inputs hold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Bytes on the disk.
    pub input_bytes: u64,
    /// Bytes of them that were read.
    pub read_bytes: u64,
    /// Records.
    pub records: f64,
    /// Records of them that every policy lets through.
    pub kept: f64,
    /// Sequences that a model is given of those: themselves, or their windows.
    pub sequences: f64,
    /// Residues of these sequences.
    pub residues: f64,
    /// Residues of rows: of the records that are kept, in whole where they have windows.
    pub row_residues: f64,
    /// The squares of their numbers of residues, summed.
    pub row_squares: f64,
    /// Bytes of their ids and descriptions.
    pub text_bytes: f64,
    /// Bytes of their ids alone.
    pub id_bytes: f64,
    /// Whether this is a share of what was found, which is like the rest as far as anyone knows.
    pub is_share: bool,
}

/// Inputs of one compression, whose bytes hold about as much everywhere.
#[derive(Default)]
struct Stratum {
    /// What its units hold that came so far.
    passed_bytes: u64,
    found: Sample,
}

impl Sample {
    /// Whether all was read, so that nothing is estimated.
    pub fn is_counted(&self) -> bool {
        self.read_bytes == self.input_bytes && !self.is_share
    }

    /// Reads some of `inputs`, evenly over all of them, or all if that is little. Of `take` records at most,
    /// from the beginning on, nothing else is told. `None` if one is a pipe, which can be read once only.
    ///
    /// # Errors
    /// If what is read cannot be, or a policy does not allow it.
    pub fn of(
        inputs: &[Input],
        policy: &RecordPolicy,
        take: Option<u64>,
    ) -> Result<Option<Self>, InputError> {
        let sizes: Option<Vec<u64>> = inputs.iter().map(Input::size_bytes).collect();
        let Some(sizes) = sizes else {
            return Ok(None);
        };
        let input_bytes: u64 = sizes.iter().sum();
        let share = MOST_SAMPLED_BYTES as f64 / input_bytes.max(1) as f64;
        let found = read(inputs, policy, share.min(1.0), take)?;
        let all = found.values().map(Stratum::scaled);
        let all = all.fold(Self::default(), |sum, stratum| sum + stratum);
        Ok(Some(all.at_most(take)))
    }

    /// The part that so many bytes on the disk hold, if the rest is like it.
    pub fn of_share(self, disk_bytes: u64) -> Self {
        match self.input_bytes {
            all if disk_bytes < all => Self {
                is_share: true,
                ..self.times(disk_bytes as f64 / all as f64)
            },
            _ => self,
        }
    }

    /// Of so many records at most.
    fn at_most(self, take: Option<u64>) -> Self {
        match take {
            Some(take) if (take as f64) < self.records => self.times(take as f64 / self.records),
            _ => self,
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            records: factor * self.records,
            kept: factor * self.kept,
            sequences: factor * self.sequences,
            residues: factor * self.residues,
            row_residues: factor * self.row_residues,
            row_squares: factor * self.row_squares,
            text_bytes: factor * self.text_bytes,
            id_bytes: factor * self.id_bytes,
            ..self
        }
    }

    fn count(&mut self, outcome: &Outcome, long_sequences: LongSequences) {
        self.records += 1.0;
        if let Outcome::Kept(record) = outcome {
            let length = record.sequence.len();
            let (n_sequences, n_residues) = match long_sequences.window() {
                Some(window) => (window.count(length), window.residues_of(length)),
                None => (1, length),
            };
            self.kept += 1.0;
            self.sequences += n_sequences as f64;
            self.residues += n_residues as f64;
            self.row_residues += length as f64;
            self.row_squares += (length as f64).powi(2);
            self.text_bytes += (record.id.len() + record.description.len()) as f64;
            self.id_bytes += record.id.len() as f64;
        }
    }
}

impl std::ops::Add for Sample {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input_bytes: self.input_bytes + other.input_bytes,
            read_bytes: self.read_bytes + other.read_bytes,
            records: self.records + other.records,
            kept: self.kept + other.kept,
            sequences: self.sequences + other.sequences,
            residues: self.residues + other.residues,
            row_residues: self.row_residues + other.row_residues,
            row_squares: self.row_squares + other.row_squares,
            text_bytes: self.text_bytes + other.text_bytes,
            id_bytes: self.id_bytes + other.id_bytes,
            is_share: self.is_share || other.is_share,
        }
    }
}

impl Stratum {
    /// What all of it holds, if the rest is like what was read.
    fn scaled(&self) -> Sample {
        let found = Sample {
            input_bytes: self.passed_bytes,
            ..self.found
        };
        match self.found.read_bytes {
            0 => found,
            read => found.times(self.passed_bytes as f64 / read as f64),
        }
    }
}

/// Reads about `share` of the inputs, unit by unit.
fn read(
    inputs: &[Input],
    policy: &RecordPolicy,
    share: f64,
    take: Option<u64>,
) -> Result<BTreeMap<&'static str, Stratum>, InputError> {
    let mut strata = BTreeMap::<_, Stratum>::new();
    let name = |input: usize| inputs.get(input).map_or("", |input| input.name.as_str());
    let mut n_left = take.filter(|_| share >= 1.0).unwrap_or(u64::MAX);
    for unit in Units::new(inputs.to_vec(), Units::UNIT_BYTES) {
        let unit =
            unit.map_err(|PlanFault { input, fault }| fault.locate(name(input), 0, None, ""))?;
        let stratum = strata.entry(compression(&inputs[unit.input])).or_default();
        let wanted = (share * (stratum.passed_bytes + unit.disk_bytes) as f64) as u64;
        let wanted = wanted.saturating_sub(stratum.found.read_bytes);
        let is_first = stratum.found.read_bytes == 0;
        stratum.passed_bytes += unit.disk_bytes;
        // A unit is read whole where that is possible: its bytes are known exactly then.
        let is_whole_file = !inputs[unit.input].is_shareable();
        let is_due = is_first || 2 * wanted >= unit.disk_bytes || is_whole_file && wanted > 0;
        if !is_due || n_left == 0 {
            continue;
        }
        let behind = Offset::of(&unit.extent).behind();
        let fail = |fault: super::Fault| fault.locate(name(unit.input), 0, None, &behind);
        let mut reader = UnitReader::open(&unit, policy.clone()).map_err(fail)?;
        let mut n_bytes = unit.disk_bytes;
        while n_left > 0
            && let Some(outcome) = reader.next_outcome().map_err(fail)?
        {
            stratum.found.count(&outcome, policy.long_sequences);
            n_left -= 1;
            let is_enough = || reader.disk_bytes() >= wanted.max(Units::UNIT_BYTES);
            if is_whole_file
                && share < 1.0
                && reader.n_records().is_multiple_of(RECORDS_BETWEEN_LOOKS)
                && is_enough()
            {
                n_bytes = reader.disk_bytes().min(unit.disk_bytes);
                break;
            }
        }
        stratum.found.read_bytes += n_bytes;
    }
    Ok(strata)
}

/// What inputs have in common whose bytes hold about as much.
fn compression(input: &Input) -> &'static str {
    match input.kind {
        InputKind::File { compression, .. } => compression.name(),
        InputKind::Stream => Compression::None.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fasta::resolve,
        job::{Dataset, OptionMap},
    };
    use std::{fmt::Write as _, fs};

    /// Records of 100 residues on average, whose share of short ones does not depend on the place.
    fn text(n_records: usize) -> String {
        let mut text = String::new();
        for n in 0..n_records {
            let length = 50 + 10 * (n * 7 % 11);
            writeln!(text, ">p{n:07} of {n:07}\n{}", "A".repeat(length)).unwrap();
        }
        text
    }

    fn sample(paths: &[&std::path::Path], share: f64) -> Sample {
        let sources: Vec<_> =
            (paths.iter().map(|path| path.to_string_lossy().into_owned())).collect();
        let dataset = Dataset::new(sources).min_length(60).unwrap();
        let inputs = resolve(&dataset.sources).unwrap();
        let strata = read(&inputs, &dataset.policy, share, dataset.take).unwrap();
        let all = strata.values().map(Stratum::scaled);
        all.fold(Sample::default(), |sum, stratum| sum + stratum)
    }

    #[test]
    fn a_part_tells_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, gzip) = (folder.path().join("a.fa"), folder.path().join("b.fa.gz"));
        let n_records = 110_000;
        fs::write(&plain, text(n_records)).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, text(n_records).as_bytes()).unwrap();
        fs::write(&gzip, encoder.finish().unwrap()).unwrap();
        let all = sample(&[&plain, &gzip], 1.0);
        assert!(all.is_counted());
        assert_eq!(all.records, 2.0 * n_records as f64);
        assert_eq!(
            all.kept,
            20.0 / 11.0 * n_records as f64,
            "the shortest are rejected"
        );
        assert_eq!(all.residues, all.kept * 105.0);
        assert_eq!(all.text_bytes, all.kept * 18.0);
        assert_eq!(all.id_bytes, all.kept * 8.0);
        assert_eq!(all.row_residues, all.residues);
        let part = sample(&[&plain, &gzip], 0.3);
        assert!(!part.is_counted() && part.read_bytes < all.read_bytes / 2 + Units::UNIT_BYTES);
        let check = |estimated: f64, counted: f64| {
            assert!(
                (estimated / counted - 1.0).abs() < 0.03,
                "{estimated} {counted}"
            );
        };
        check(part.records, all.records);
        check(part.kept, all.kept);
        check(part.residues, all.residues);
        check(part.text_bytes, all.text_bytes);
        check(part.row_squares, all.row_squares);
    }

    #[test]
    fn no_more_is_told_of_than_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fa");
        fs::write(&path, text(1000)).unwrap();
        let inputs = resolve(&[path.to_string_lossy().into_owned()]).unwrap();
        let policy = Dataset::new(Vec::new()).policy;
        let taken = Sample::of(&inputs, &policy, Some(11)).unwrap().unwrap();
        assert_eq!((taken.records, taken.residues), (11.0, 1100.0));
        let squares: f64 = (5..=15).map(|n| f64::from(10 * n).powi(2)).sum();
        assert_eq!(taken.row_squares, squares);
        // Of windows of 60 residues that share 30, those of 70 to 90 residues need two, up to 120 three and above
        // that four, and the two short ones are whole.
        let dataset = Dataset::new(Vec::new()).long_sequences(
            "window",
            Some(60),
            OptionMap::from([("overlap".to_owned(), 30_i64.into())]),
        );
        let windows = Sample::of(&inputs, &dataset.unwrap().policy, Some(11));
        let windows = windows.unwrap().unwrap();
        assert_eq!((windows.records, windows.kept), (11.0, 11.0));
        assert_eq!(
            (windows.row_residues, windows.row_squares),
            (1100.0, squares)
        );
        assert_eq!(windows.sequences, (2 + 3 * 2 + 3 * 3 + 3 * 4) as f64);
        assert_eq!(
            windows.residues,
            (50 + 60 + 60 * (3 * 2 + 3 * 3 + 3 * 4)) as f64
        );
    }
}
