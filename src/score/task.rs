//! All that is to be scored in one call, protein by protein.

use super::{
    ScoreError,
    copies::Copies,
    copy::Copy,
    mutant_table::MutantTable,
    mutation::{AMINO_ACIDS, Mutation},
    protein::{Found, Protein, Rejected, try_each},
};
use crate::{
    cancel::CancelToken,
    fasta::{self, Input, InputError},
    job::{Dataset, LongSequences, Mutants, RecordPolicy, ScoreQuestion},
};

/// All that is to be scored in one call.
pub struct Task {
    pub(super) question: ScoreQuestion,
    pub(super) source: Source,
    /// Whether it is to be given up.
    pub(super) cancel: CancelToken,
}

/// Where proteins and their mutants come from.
pub(super) enum Source {
    Table(Box<MutantTable>),
    Fasta {
        inputs: Vec<Input>,
        policy: RecordPolicy,
        take: Option<u64>,
    },
}

/// How much there is to score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Mutants, or proteins where there are none.
    pub scores: u64,
    /// Proteins.
    pub proteins: u64,
    /// Records that a rule rejected.
    pub rejected: u64,
    /// Proteins of which only the first residues are looked at.
    pub truncated: u64,
    /// Sequences that the model has to see.
    pub sequences: u64,
    /// Tokens of them.
    pub tokens: u64,
    /// Residues of the longest of them.
    pub longest: usize,
    /// Bytes of the table beside the scores, about.
    pub text_bytes: u64,
}

impl Extent {
    /// That of a single score, for a rehearsal that has not looked.
    pub const ONE: Self = Self {
        scores: 1,
        proteins: 1,
        rejected: 0,
        truncated: 0,
        sequences: 1,
        tokens: 3,
        longest: 1,
        text_bytes: 0,
    };
}

/// What was found out about a task when it was looked through.
pub struct Survey {
    /// How much there is to score.
    pub extent: Extent,
    /// A hash of all that the plan depends on.
    pub hash: blake3::Hash,
    /// What is odd about the inputs.
    pub warnings: Vec<String>,
}

/// A protein with those of its mutants that are to be scored, and the sequences that this takes.
pub(super) struct Subject<'a> {
    pub(super) protein: &'a Protein,
    pub(super) variants: &'a [Vec<Mutation>],
    pub(super) copies: Copies,
}

/// What comes next of a task.
pub(super) enum Next<'a> {
    Subject(Subject<'a>),
    Rejected(Rejected),
}

/// The number of the form of plans: another one is another plan.
const PLAN_VERSION: u8 = 1;

impl Task {
    /// The task that a question is. A table of mutants is read and checked, proteins are found. Whoever works on it
    /// gives up when somebody tells to stop.
    ///
    /// # Errors
    /// - An input is missing, cannot be read, or is a pipe, as everything is read more than once.
    /// - A mutant is none of its protein.
    /// - Somebody tells to stop.
    pub fn new(question: &ScoreQuestion, cancel: &CancelToken) -> Result<Self, ScoreError> {
        let source = match question {
            ScoreQuestion::Mutants(Mutants::Table(table), _) => {
                Source::Table(Box::new(MutantTable::read(table, cancel)?))
            }
            ScoreQuestion::Mutants(Mutants::AllSingle(dataset), _) => {
                // Mutants of what is cut off are mutants, too: a model sees each in a window.
                let is_kept =
                    |rule| matches!(rule, LongSequences::Skip(_) | LongSequences::Error(_));
                Source::of_dataset(dataset, is_kept)?
            }
            ScoreQuestion::Perplexity(dataset, _) => {
                let is_kept = |rule| {
                    let is_cut = matches!(rule, LongSequences::Truncate(_));
                    is_cut || matches!(rule, LongSequences::Skip(_) | LongSequences::Error(_))
                };
                Source::of_dataset(dataset, is_kept)?
            }
        };
        Ok(Self {
            question: question.clone(),
            source,
            cancel: cancel.clone(),
        })
    }

    /// Whether all of it was read when it was made.
    pub fn is_read(&self) -> bool {
        matches!(self.source, Source::Table(_))
    }

    /// Input files.
    pub fn n_inputs(&self) -> usize {
        match &self.source {
            Source::Table(table) => 1 + usize::from(table.spec.fasta.is_some()),
            Source::Fasta { inputs, .. } => inputs.len(),
        }
    }

    /// Reads the proteins, and says how much there is to score.
    ///
    /// # Errors
    /// An input cannot be read, a rule does not allow a record, or somebody tells to stop.
    pub fn survey(&self) -> Result<Survey, ScoreError> {
        let mut extent = Extent::default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[PLAN_VERSION]);
        hasher.update(self.question.method().as_bytes());
        if let Source::Table(table) = &self.source {
            hasher.update(table.content.as_bytes());
            hasher.update(&table.spec.offset.to_le_bytes());
        }
        let warnings = self.try_each(|next| {
            let subject = match next {
                Next::Subject(subject) => subject,
                Next::Rejected(Rejected { ordinal, .. }) => {
                    extent.rejected += 1;
                    hasher.update(&ordinal.to_le_bytes());
                    return Ok(());
                }
            };
            extent.proteins += 1;
            extent.truncated += u64::from(subject.protein.is_truncated);
            extent.scores += match (&self.source, &self.question) {
                (Source::Table(table), _) => table.n_rows(),
                (_, ScoreQuestion::Perplexity(..)) => 1,
                _ => subject.variants.len() as u64,
            };
            extent.text_bytes += match (&self.source, &self.question) {
                (Source::Table(table), _) => table.n_bytes,
                (_, question) => text_bytes(question, subject.protein, subject.variants),
            };
            let Protein { id, sequence, .. } = subject.protein;
            for text in [id.as_bytes(), sequence] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
            subject.copies.try_each(|copy| {
                ScoreError::unless_stopped(&self.cancel)?;
                extent.sequences += 1;
                extent.tokens += copy.tokens();
                extent.longest = extent.longest.max(copy.window.len());
                Ok(())
            })
        })?;
        Ok(Survey {
            extent,
            hash: hasher.finalize(),
            warnings,
        })
    }

    /// Does something with each copy, in the order of the plan: the number of its protein, its residues, and itself.
    ///
    /// # Errors
    /// As [`survey`](Self::survey), and that of `each`.
    pub(super) fn try_each_copy(
        &self,
        mut each: impl FnMut(&Protein, &Copy<'_>) -> Result<(), ScoreError>,
    ) -> Result<(), ScoreError> {
        let looked_at = self.try_each(|next| match next {
            Next::Rejected(_) => Ok(()),
            Next::Subject(subject) => {
                let Subject {
                    protein, copies, ..
                } = subject;
                copies.try_each(|copy| {
                    ScoreError::unless_stopped(&self.cancel)?;
                    each(protein, &copy)
                })
            }
        });
        looked_at.map(drop)
    }

    /// Does something with each protein, and with each record that a rule rejects. Returns warnings about what is odd
    /// about them.
    ///
    /// # Errors
    /// As [`survey`](Self::survey), and that of `each`.
    pub(super) fn try_each(
        &self,
        mut each: impl FnMut(Next<'_>) -> Result<(), ScoreError>,
    ) -> Result<Vec<String>, ScoreError> {
        match &self.source {
            Source::Table(table) => {
                each(self.subject(&table.wild_type, &table.variants)?)?;
                Ok(table.warnings.clone())
            }
            Source::Fasta {
                inputs,
                policy,
                take,
            } => {
                let has_mutants = matches!(self.question, ScoreQuestion::Mutants(..));
                try_each(inputs, policy, *take, &self.cancel, |found| match found {
                    Found::Rejected(rejected) => each(Next::Rejected(rejected)),
                    Found::Protein(protein) => {
                        let variants = match has_mutants {
                            true => all_single(&protein.sequence),
                            false => Vec::new(),
                        };
                        each(self.subject(&protein, &variants)?)
                    }
                })
            }
        }
    }
}

impl Task {
    fn subject<'a>(
        &self,
        protein: &'a Protein,
        variants: &'a [Vec<Mutation>],
    ) -> Result<Next<'a>, ScoreError> {
        let length = protein.sequence.len();
        Ok(Next::Subject(Subject {
            protein,
            variants,
            copies: Copies::new(&self.question, length, variants, &self.cancel)?,
        }))
    }
}

impl Source {
    /// The proteins of a dataset, with the rules that are kept; else those that are long are read as a whole.
    fn of_dataset(
        dataset: &Dataset,
        is_kept: impl FnOnce(LongSequences) -> bool,
    ) -> Result<Self, ScoreError> {
        let mut policy = dataset.policy.clone();
        if !is_kept(policy.long_sequences) {
            policy.long_sequences = LongSequences::Truncate(usize::MAX);
        }
        let inputs = fasta::resolve(&dataset.sources)?;
        if let Some(pipe) = inputs.iter().find(|input| input.is_stream()) {
            let message = "is a pipe, and scores need to read proteins more than once";
            let hint = "write the proteins to a file, and name that";
            return Err(InputError::new(pipe.name.clone(), message, hint).into());
        }
        Ok(Self::Fasta {
            inputs,
            policy,
            take: dataset.take,
        })
    }
}

/// Bytes of the rows of a protein beside their scores.
fn text_bytes(question: &ScoreQuestion, protein: &Protein, variants: &[Vec<Mutation>]) -> u64 {
    let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or(0)) + 1;
    let id = protein.id.len() as u64 + 1;
    match question {
        // The length, and whether the protein is cut.
        ScoreQuestion::Perplexity(..) => id + digits(protein.n_residues.into()) + 7,
        ScoreQuestion::Mutants(..) => {
            let sites = variants.iter().flatten();
            sites
                .map(|mutation| id + digits(u64::from(mutation.site) + 1) + 3)
                .sum()
        }
    }
}

/// All mutants of a protein with one mutation: each amino acid replaced by each other one. Sites with something else
/// have none.
fn all_single(sequence: &[u8]) -> Vec<Vec<Mutation>> {
    let sites = (0..).zip(sequence);
    let sites = sites.filter(|(_, residue)| AMINO_ACIDS.contains(residue));
    let mutants = sites.flat_map(|(site, &residue)| {
        let others = AMINO_ACIDS.iter().filter(move |to| **to != residue);
        others.map(move |&to| vec![Mutation { site, to }])
    });
    mutants.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cancel::StopReason,
        job::{PerplexityMethod, ScoreMethod},
    };
    use std::fs;

    #[test]
    fn every_site_has_nineteen_mutants() {
        let found = all_single(b"MXK");
        assert_eq!(found.len(), 38);
        assert!(found.iter().all(|mutant| mutant.len() == 1));
        assert_eq!(found[0], [Mutation { site: 0, to: b'A' }]);
        assert_eq!(found[37], [Mutation { site: 2, to: b'Y' }]);
        let is_silent = |mutant: &Vec<Mutation>| {
            let Mutation { site, to } = mutant[0];
            b"MXK"[site as usize] == to
        };
        assert!(!found.iter().any(is_silent));
    }

    #[test]
    fn a_task_knows_its_extent_and_its_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fa");
        let long = "M".repeat(1500);
        fs::write(&path, format!(">a\nMKT\n>b\nM*\n>c\n{long}\n")).unwrap();
        let survey = |method| {
            let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
            let dataset = dataset.min_length(2).unwrap();
            let mutants = Mutants::AllSingle(dataset);
            let question = ScoreQuestion::Mutants(mutants, method);
            let task = Task::new(&question, &CancelToken::default()).unwrap();
            let Survey { extent, hash, .. } = task.survey().unwrap();
            (extent, hash)
        };
        let (masked, hash) = survey(ScoreMethod::MaskedMarginals);
        let expect = Extent {
            scores: 19 * 1503,
            proteins: 2,
            rejected: 1,
            truncated: 0,
            sequences: 1503,
            tokens: 3 * 5 + 1500 * 1024,
            longest: 1022,
            // `a,M1A,` and so on: one to four digits.
            text_bytes: 19 * (3 * 6 + 9 * 6 + 90 * 7 + 900 * 8 + 501 * 9),
        };
        assert_eq!(masked, expect);
        assert_eq!(survey(ScoreMethod::MaskedMarginals).1, hash);
        let (unmasked, other) = survey(ScoreMethod::WtMarginals);
        assert_eq!((unmasked.sequences, unmasked.scores), (1 + 479, 19 * 1503));
        assert_ne!(hash, other);
        fs::write(&path, format!(">a\nMKV\n>c\n{long}\n")).unwrap();
        assert_ne!(survey(ScoreMethod::MaskedMarginals).1, hash);
    }

    #[test]
    fn whoever_is_told_to_stop_writes_no_plan() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fa");
        fs::write(&path, ">a\nMKT\n").unwrap();
        let dataset = Dataset::new(vec![path.to_string_lossy().into_owned()]);
        let question = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
        let cancel = CancelToken::default();
        let task = Task::new(&question, &cancel).unwrap();
        let kept = folder.path().join("kept");
        cancel.cancel(StopReason::Terminated);
        let is_stopped = |error| matches!(error, Some(ScoreError::Stopped(StopReason::Terminated)));
        assert!(is_stopped(task.write_plan(&kept.join("plan")).err()));
        assert!(is_stopped(task.survey().err()));
        assert_eq!(kept.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_is_odd_is_told_of_the_files_of_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        fs::write(at("a.fa"), ">a\nMK1T\n>b\nM-K\n").unwrap();
        fs::write(at("b.fa"), ">c\nMK\n>d\nM-KK\n").unwrap();
        let dataset = Dataset::new(vec![at("a.fa"), at("b.fa")]);
        let question = ScoreQuestion::Perplexity(dataset, PerplexityMethod::Exact);
        let task = Task::new(&question, &CancelToken::default()).unwrap();
        let warnings = task.survey().unwrap().warnings;
        let has = |file: &str, text: &str| {
            let mut warnings = warnings.iter();
            warnings.any(|warning| warning.contains(file) && warning.contains(text))
        };
        assert!(
            has("a.fa", "`1`") && has("a.fa", "gaps") && has("b.fa", "gaps"),
            "{warnings:?}"
        );
        assert!(has("b.fa", "record 2 (`d`)"), "{warnings:?}");
    }
}
