//! What is odd about the records of a file, summed up.

use super::{
    character::Characters,
    error::MOST_ID_CHARACTERS,
    oddity::{Oddity, RULES, Remark},
};
use crate::{
    job::ResiduePolicy,
    text::{in_number, printable_line, shortened},
};

/// What is odd about the records of a file, summed up.
#[derive(Debug, Default)]
pub struct Remarks {
    sums: [Option<Sum>; RULES.len()],
}

/// How often something is odd.
#[derive(Clone, Debug)]
struct Sum {
    n_records: u64,
    count: u64,
    /// The count of the first record, and whether all others have the same.
    first_count: u64,
    all_equal: bool,
    characters: Characters,
    /// The first record's number in the file, from 1, and its id.
    first: (u64, String),
}

impl Remarks {
    /// Adds a remark about the record of number `ordinal` in the file, from 1.
    pub fn add(&mut self, remark: &Remark, ordinal: u64, id: &str) {
        let sum = self.sums[remark.oddity as usize].get_or_insert_with(|| Sum {
            n_records: 0,
            count: 0,
            first_count: remark.count,
            all_equal: true,
            characters: Characters::default(),
            first: (ordinal, shortened(id, MOST_ID_CHARACTERS).into_owned()),
        });
        sum.n_records += 1;
        sum.count += remark.count;
        sum.all_equal &= remark.count == sum.first_count;
        sum.characters.add_all(&remark.characters);
    }

    /// A warning for each kind of oddity, about a file of which `n_records` records were read. `behind` is said
    /// behind the number of a record that is not counted from the beginning of the file.
    pub fn warnings(
        mut self,
        file: &str,
        n_records: u64,
        residues: ResiduePolicy,
        behind: &str,
    ) -> Vec<String> {
        self.settle_nucleotides(n_records);
        self.settle_gaps();
        let file = printable_line(file);
        let mut warnings = Vec::new();
        for (rule, sum) in RULES.iter().zip(self.sums) {
            let Some(sum) = sum else { continue };
            let n = sum.n_records;
            let (ordinal, id) = &sum.first;
            let (what, place) = match rule.counted {
                Some(counted) => {
                    let records = in_number(n, "record", "records");
                    let counted = in_number(sum.count, counted[0], counted[1]);
                    (format!("{} {counted} in {n} {records}", sum.count), " in")
                }
                None => (format!("{n} {}", in_number(n, "record", "records")), ""),
            };
            // The verb is that of what is counted.
            let subject = rule.counted.map_or(n, |_| sum.count);
            let said = in_number(subject, rule.text[0], rule.text[1]);
            let text = match rule.oddity {
                Oddity::Foreign => {
                    let change = match residues {
                        ResiduePolicy::Strip => in_number(subject, "was removed", "were removed"),
                        ResiduePolicy::Unk | ResiduePolicy::Error => "became `<unk>`",
                    };
                    format!("{change}: {}", sum.characters)
                }
                Oddity::Gap if sum.all_equal && n > 1 => {
                    format!(
                        "{}; all are {} long, as in an alignment",
                        said, sum.first_count
                    )
                }
                _ => said.to_owned(),
            };
            let remedy = match rule.remedy {
                "" => String::new(),
                remedy => format!(" ({remedy})"),
            };
            warnings.push(format!(
                "`{file}`: {what} {text}; first{place} record {ordinal}{behind} (`{id}`){remedy}"
            ));
        }
        warnings
    }

    /// Not all rows of an A3M alignment have insertions.
    fn settle_gaps(&mut self) {
        if self.sums[Oddity::Insertion as usize].is_none() {
            return;
        }
        let gaps = self.sums[Oddity::Gap as usize].take();
        if let (Some(insertions), Some(gaps)) = (&mut self.sums[Oddity::Insertion as usize], gaps) {
            insertions.n_records += gaps.n_records;
            if gaps.first.0 < insertions.first.0 {
                insertions.first = gaps.first;
            }
        }
    }

    /// A short record of A, C, G and T may be a peptide. If most records of a file are like it, it
    /// is none.
    fn settle_nucleotides(&mut self, n_records: u64) {
        let n_of = |sum: &Option<Sum>| sum.as_ref().map_or(0, |sum| sum.n_records);
        let long = &self.sums[Oddity::Nucleotides as usize];
        let short = &self.sums[Oddity::ShortNucleotides as usize];
        if 2 * (n_of(long) + n_of(short)) <= n_records {
            self.sums[Oddity::ShortNucleotides as usize] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(remarks: &[(Oddity, u64)], n_records: u64, expect: &[&str]) {
        let mut sums = Remarks::default();
        for (index, &(oddity, count)) in remarks.iter().enumerate() {
            let remark = Remark {
                index: 0,
                oddity,
                count,
                characters: Characters::default(),
            };
            sums.add(&remark, index as u64 + 3, "x");
        }
        let warnings = sums.warnings("a.fa", n_records, ResiduePolicy::Unk, "");
        assert_eq!(warnings.len(), expect.len(), "{warnings:?}");
        for (warning, part) in warnings.iter().zip(expect) {
            assert!(warning.contains(part), "`{part}` in: {warning}");
        }
    }

    #[test]
    fn a_kind_has_one_warning() {
        use Oddity::{Comment, Gap, Nameless, ShortNucleotides};
        check(&[], 9, &[]);
        check(
            &[(Comment, 2), (Nameless, 1), (Comment, 5)],
            9,
            &[
                "`a.fa`: 1 record has no name; its id is empty; first record 4 (`x`)",
                "`a.fa`: 7 comment lines in 2 records were skipped; first in record 3 (`x`) (lines",
            ],
        );
        check(
            &[(Gap, 7), (Gap, 7)],
            2,
            &["all are 7 long, as in an alignment"],
        );
        check(
            &[(Gap, 7), (Gap, 8)],
            2,
            &["which become tokens of ESM-2; first record 3"],
        );
        check(&[(ShortNucleotides, 12)], 2, &[]);
        check(
            &[(ShortNucleotides, 12)],
            1,
            &["1 record is short and looks like nucleotides"],
        );
        check(&[(Gap, 1)], 1, &["`a.fa`: 1 record holds gaps"]);
        check(
            &[(Comment, 1)],
            2,
            &["`a.fa`: 1 comment line in 1 record was skipped"],
        );
    }
}
