//! Which records to embed.

use super::{
    OptionMap, Problems, Window,
    options::{OptionReader, nearest, one_of, whole_in},
};
use crate::alphabet::N_SPECIAL_TOKENS;
use serde::{Deserialize, Serialize};
use std::{fmt, ops::RangeInclusive};

/// FASTA sources and the rules that their records go through.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// Paths, glob patterns or `-` for standard input, as the script wrote them, in input order.
    pub sources: Vec<String>,
    /// What happens to each record.
    pub policy: RecordPolicy,
    /// Stop after this many records of the input have been read.
    pub take: Option<u64>,
}

/// What a reader does with each record. It travels to the reader subprocesses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordPolicy {
    /// Reject records with fewer residues.
    pub min_length: Option<usize>,
    /// Reject records with more residues.
    pub max_length: Option<usize>,
    /// What to do with sequences that the model was not trained for.
    pub long_sequences: LongSequences,
    /// What to do with characters outside the model's alphabet.
    pub residues: ResiduePolicy,
    /// Whether it is told what is odd about records. What this program wrote itself is nobody's mistake.
    pub remarks: bool,
}

/// What to do with a sequence of more than `n` residues.
///
/// ESM-2 was trained on crops of 1,024 tokens, which is 1,022 residues and two special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LongSequences {
    /// Embed the first `n` residues and mark the row as truncated.
    Truncate(usize),
    /// Reject the record.
    Skip(usize),
    /// Stop the run, naming the record.
    Error(usize),
    /// Embed windows of it, and join what the model says of them.
    Window(Window),
    /// Embed whole sequences, and reject those of more than `n` residues, which no batch holds.
    Full(usize),
}

/// What to do with characters that are neither residues of the alphabet nor `*` at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResiduePolicy {
    /// Keep the position; the tokeniser turns it into `<unk>`.
    Unk,
    /// Remove the character.
    Strip,
    /// Stop the run, naming record and character.
    Error,
}

impl Dataset {
    /// Every record of `sources`, under the default rules.
    pub fn new(sources: Vec<String>) -> Self {
        Self {
            sources,
            policy: RecordPolicy {
                min_length: None,
                max_length: None,
                long_sequences: LongSequences::Truncate(LongSequences::TRAINED_RESIDUES),
                residues: ResiduePolicy::Unk,
                remarks: true,
            },
            take: None,
        }
    }

    /// Rejects sequences with fewer than `residues` residues.
    ///
    /// # Errors
    /// `residues` is negative, or above the greatest length.
    pub fn min_length(mut self, residues: i64) -> Result<Self, Problems> {
        self.policy.min_length = Some(whole("min_length", residues, 0..=LONGEST)?);
        self.lengths_agree()
    }

    /// Rejects sequences with more than `residues` residues.
    ///
    /// # Errors
    /// `residues` is below 1, or below the least length.
    pub fn max_length(mut self, residues: i64) -> Result<Self, Problems> {
        self.policy.max_length = Some(whole("max_length", residues, 1..=LONGEST)?);
        self.lengths_agree()
    }

    /// Stops after `records` records of the input, the rejected ones included.
    ///
    /// # Errors
    /// `records` is negative.
    pub fn take(mut self, records: i64) -> Result<Self, Problems> {
        self.take = Some(whole("take", records, 0..=i64::MAX)? as u64);
        Ok(self)
    }

    /// Says by a policy's name what happens to sequences of more than `residues` residues, 1,022 if it is not said.
    /// Windows may have the option `overlap`.
    ///
    /// # Errors
    /// There is no such policy, it takes no such number or option, or a number is out of range.
    pub fn long_sequences(
        mut self,
        policy: &str,
        residues: Option<i64>,
        options: OptionMap,
    ) -> Result<Self, Problems> {
        self.policy.long_sequences = LongSequences::of(policy, residues, options)?;
        Ok(self)
    }

    /// Says by a policy's name what happens to characters outside the model's alphabet.
    ///
    /// # Errors
    /// There is no such policy.
    pub fn unknown_residues(mut self, policy: &str) -> Result<Self, Problems> {
        self.policy.residues = match policy {
            "unk" => ResiduePolicy::Unk,
            "strip" => ResiduePolicy::Strip,
            "error" => ResiduePolicy::Error,
            _ => {
                return Err(no_such_policy(
                    "unknown_residues",
                    policy,
                    &ResiduePolicy::NAMES,
                ));
            }
        };
        Ok(self)
    }

    /// Every rule by its name in scripts, as text; nothing where there is no limit.
    pub fn rules(&self) -> [(&'static str, Option<String>); 5] {
        let RecordPolicy {
            min_length,
            max_length,
            long_sequences,
            residues,
            remarks: _,
        } = &self.policy;
        [
            ("min_length", min_length.map(|n| n.to_string())),
            ("max_length", max_length.map(|n| n.to_string())),
            ("long_sequences", Some(long_sequences.to_string())),
            ("unknown_residues", Some(residues.name().to_owned())),
            ("take", self.take.map(|n| n.to_string())),
        ]
    }

    fn lengths_agree(self) -> Result<Self, Problems> {
        match (self.policy.min_length, self.policy.max_length) {
            (Some(least), Some(most)) if least > most => Err(Problems::one(
                format!("`min_length` {least} is above `max_length` {most}"),
                Some("no sequence could pass".to_owned()),
            )),
            _ => Ok(self),
        }
    }
}

/// Lengths travel as 32-bit numbers.
const LONGEST: i64 = u32::MAX as i64;

fn whole(name: &str, number: i64, range: RangeInclusive<i64>) -> Result<usize, Problems> {
    usize::try_from(number)
        .ok()
        .filter(|_| range.contains(&number))
        .ok_or_else(|| {
            let expected = whole_in(&range);
            Problems::one(
                format!("`{name}` is {number}, but must be {expected}"),
                None,
            )
        })
}

fn no_such_policy(name: &str, policy: &str, policies: &[&str]) -> Problems {
    Problems::one(
        format!("`{name}` is \"{policy}\", but must be {}", one_of(policies)),
        nearest(policy, policies).map(|near| format!("did you mean \"{near}\"?")),
    )
}

impl LongSequences {
    /// Residues in the longest crop that ESM-2 was trained on.
    pub const TRAINED_RESIDUES: usize = 1022;
    /// The most tokens that a batch holds unless the script asks for more. Only one protein in millions
    /// is longer.
    pub const LARGEST_DEFAULT_BUDGET: usize = 65_536;
    /// Every policy's name in scripts.
    pub const NAMES: [&str; 5] = ["truncate", "skip", "error", "window", "full"];

    /// The policy of this name, for sequences of more than `residues` residues.
    fn of(policy: &str, residues: Option<i64>, options: OptionMap) -> Result<Self, Problems> {
        let given = residues.unwrap_or(Self::TRAINED_RESIDUES as i64);
        let n = whole("long_sequences", given, 1..=LONGEST)?;
        let read = match policy {
            "truncate" => Self::Truncate(n),
            "skip" => Self::Skip(n),
            "error" => Self::Error(n),
            "window" => return Ok(Self::Window(Window::of(n, options)?)),
            "full" => Self::Full(Self::LARGEST_DEFAULT_BUDGET - N_SPECIAL_TOKENS),
            _ => return Err(no_such_policy("long_sequences", policy, &Self::NAMES)),
        };
        if let (Self::Full(_), Some(n)) = (read, residues) {
            return Err(Problems::one(
                format!("`long_sequences` is given {n}, but \"full\" takes no number"),
                Some(format!(
                    "whole sequences may have as many residues as fit into a batch: write \
                     `.long_sequences(\"full\")`, and `token_budget: {}` in the options of `embed`; or reject longer \
                     ones with `.long_sequences(\"skip\", {n})`",
                    n.saturating_add(N_SPECIAL_TOKENS as i64)
                )),
            ));
        }
        match options.into_iter().next() {
            None => Ok(read),
            Some((name, _)) => Err(Problems::one(
                format!("`long_sequences` has the option `{name}`, but \"{policy}\" takes none"),
                Some("`overlap` is an option of `.long_sequences(\"window\", 1022)`".to_owned()),
            )),
        }
    }

    /// The longest sequence that passes unchanged, in residues.
    pub fn limit(self) -> usize {
        match self {
            Self::Truncate(n) | Self::Skip(n) | Self::Error(n) | Self::Full(n) => n,
            Self::Window(window) => window.residues,
        }
    }

    /// Residues of a sequence that are read, at most.
    pub fn most_read(self) -> usize {
        match self {
            Self::Window(window) => window.most,
            _ => self.limit(),
        }
    }

    /// The windows that long sequences are divided into, if they are.
    pub fn window(self) -> Option<Window> {
        match self {
            Self::Window(window) => Some(window),
            _ => None,
        }
    }

    /// The policy's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Truncate(_) => "truncate",
            Self::Skip(_) => "skip",
            Self::Error(_) => "error",
            Self::Window(_) => "window",
            Self::Full(_) => "full",
        }
    }
}

impl fmt::Display for LongSequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.limit())?;
        match self {
            Self::Window(window) => write!(f, " overlap {}", window.overlap),
            _ => Ok(()),
        }
    }
}

impl Window {
    /// Whether it is what `"window"` means alone.
    pub(super) fn is_default(self) -> bool {
        let residues = LongSequences::TRAINED_RESIDUES;
        self == Self::new(residues, Self::default_overlap(residues))
    }

    /// Windows of so many residues, with the options that a script gave.
    fn of(residues: usize, options: OptionMap) -> Result<Self, Problems> {
        let most = Self::most_overlap(residues);
        let mut reader = OptionReader::new(options, &["overlap"]);
        let overlap = reader.whole("overlap", 0..=most as i64);
        let read = reader.finish(Self::new(
            residues,
            overlap.map_or_else(|| Self::default_overlap(residues), |n| n as usize),
        ));
        read.map_err(|mut problems| {
            for problem in &mut problems.0 {
                let why = format!("windows of {residues} residues share half of them at most");
                problem.hint.get_or_insert(why);
            }
            problems
        })
    }
}

impl ResiduePolicy {
    /// Every policy's name in scripts.
    pub const NAMES: [&str; 3] = ["unk", "strip", "error"];

    /// The policy's name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unk => "unk",
            Self::Strip => "strip",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hint::Hint, job::OptionValue};

    fn dataset() -> Dataset {
        Dataset::new(vec!["a.fa".to_owned()])
    }

    #[test]
    fn rules_add_up() {
        let dataset = dataset()
            .min_length(10)
            .and_then(|d| d.max_length(500))
            .and_then(|d| d.long_sequences("skip", Some(400), OptionMap::new()))
            .and_then(|d| d.unknown_residues("strip"))
            .and_then(|d| d.take(7))
            .expect("every rule is valid");
        assert_eq!(dataset.policy.min_length, Some(10));
        assert_eq!(dataset.policy.max_length, Some(500));
        assert_eq!(dataset.policy.long_sequences, LongSequences::Skip(400));
        assert_eq!(dataset.policy.residues, ResiduePolicy::Strip);
        assert_eq!(dataset.take, Some(7));
        let rules = dataset.rules().map(|(_, rule)| rule.unwrap_or_default());
        assert_eq!(rules, ["10", "500", "skip 400", "strip", "7"]);
    }

    #[test]
    fn rules_that_make_no_sense_are_refused() {
        let check = |result: Result<Dataset, Problems>, expect: &str| {
            let message = result.expect_err(expect).in_full();
            assert!(message.contains(expect), "{message}");
        };
        check(dataset().take(-1), "`take` is -1");
        check(dataset().min_length(-5), "a whole number from 0");
        check(dataset().max_length(0), "a whole number from 1");
        check(
            dataset().min_length(9).and_then(|d| d.max_length(8)),
            "`min_length` 9 is above `max_length` 8",
        );
        check(
            dataset().long_sequences("truncat", Some(9), OptionMap::new()),
            "did you mean \"truncate\"?",
        );
        let long = |policy: &str, residues: i64, options: &[(&str, OptionValue)]| {
            let options = options.iter().cloned();
            let options = options.map(|(name, value)| (name.to_owned(), value));
            dataset().long_sequences(policy, Some(residues), options.collect())
        };
        check(long("window", 0, &[]), "a whole number from 1");
        check(
            long("window", 100, &[("overlap", 51_i64.into())]),
            "`overlap` is 51, but must be a whole number from 0 to 50 (windows of 100 residues share half",
        );
        check(
            long("window", 100, &[("overlap", "much".into())]),
            "`overlap` is \"much\", but must be a whole number",
        );
        check(
            long("window", 100, &[("overlp", 5_i64.into())]),
            "did you mean `overlap`?",
        );
        check(
            long("skip", 100, &[("overlap", 5_i64.into())]),
            "`long_sequences` has the option `overlap`, but \"skip\" takes none",
        );
        check(
            long("full", 100, &[]),
            "\"full\" takes no number (whole sequences may have as many residues as fit into a batch: write \
             `.long_sequences(\"full\")`, and `token_budget: 102`",
        );
        check(
            dataset().unknown_residues("drop"),
            "one of \"unk\", \"strip\"",
        );
    }

    #[test]
    fn names_and_policies_agree() {
        for name in LongSequences::NAMES {
            let dataset = dataset().long_sequences(name, None, OptionMap::new());
            let policy = dataset.expect("a valid name").policy.long_sequences;
            assert_eq!(policy.name(), name);
            let expect = match name {
                "window" => "window 1022 overlap 256".to_owned(),
                "full" => "full 65534".to_owned(),
                name => format!("{name} 1022"),
            };
            assert_eq!(policy.to_string(), expect);
        }
        for name in ResiduePolicy::NAMES {
            let dataset = dataset().unknown_residues(name).expect("a valid name");
            assert_eq!(dataset.policy.residues.name(), name);
        }
    }
}
