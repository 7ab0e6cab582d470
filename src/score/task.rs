//! All that is to be scored in one call, protein by protein.

use super::{
    ScoreError,
    asked::Asked,
    contents::Contents,
    copies::Copies,
    copy::Copy,
    mutant_table::MutantTable,
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
    /// A hash of all that the plan and the table depend on.
    pub hash: blake3::Hash,
    /// What is odd about the inputs.
    pub warnings: Vec<String>,
}

/// A protein with those of its mutants that are to be scored, and the sequences that this takes.
pub(super) struct Subject<'a> {
    pub(super) protein: &'a Protein,
    pub(super) asked: Asked<'a>,
    pub(super) copies: Copies,
}

/// What comes next of a task.
pub(super) enum Next<'a> {
    Subject(Subject<'a>),
    Rejected(Rejected),
}

/// The number of the form of plans: another one is another plan.
const PLAN_VERSION: u8 = 2;

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
        let mut contents = Contents::new(PLAN_VERSION, self.question.method());
        if let Source::Table(table) = &self.source {
            table.add_to(&mut contents);
        }
        let warnings = self.try_each(|next| {
            let subject = match next {
                Next::Subject(subject) => subject,
                Next::Rejected(rejected) => {
                    extent.rejected += 1;
                    contents.rejected(&rejected);
                    return Ok(());
                }
            };
            extent.proteins += 1;
            extent.truncated += u64::from(subject.protein.is_truncated);
            extent.scores += match (&self.source, &self.question) {
                (Source::Table(table), _) => table.n_rows(),
                (_, ScoreQuestion::Perplexity(..)) => 1,
                _ => subject.asked.len(),
            };
            contents.protein(subject.protein);
            extent.text_bytes += self.text_bytes(&subject)?;
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
            hash: contents.hash(),
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
                each(self.subject(&table.wild_type, Asked::Listed(&table.variants))?)?;
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
                        let asked = match has_mutants {
                            true => Asked::AllSingle(&protein.sequence),
                            false => Asked::Nothing,
                        };
                        each(self.subject(&protein, asked)?)
                    }
                })
            }
        }
    }
}

impl Task {
    /// Bytes of the rows of a protein beside their scores.
    fn text_bytes(&self, subject: &Subject<'_>) -> Result<u64, ScoreError> {
        let digits = |number: u64| u64::from(number.checked_ilog10().unwrap_or(0)) + 1;
        let Protein { id, n_residues, .. } = subject.protein;
        let id = id.len() as u64 + 1;
        match (&self.source, &self.question) {
            (Source::Table(table), _) => Ok(table.n_bytes),
            // The length, and whether the protein is cut.
            (_, ScoreQuestion::Perplexity(..)) => Ok(id + digits((*n_residues).into()) + 7),
            (_, ScoreQuestion::Mutants(..)) => {
                let mut n_bytes = 0;
                subject.asked.try_each(&self.cancel, |mutations| {
                    let sites = mutations.iter();
                    n_bytes += sites
                        .map(|mutation| id + digits(u64::from(mutation.site) + 1) + 3)
                        .sum::<u64>();
                    Ok(())
                })?;
                Ok(n_bytes)
            }
        }
    }

    fn subject<'a>(&self, protein: &'a Protein, asked: Asked<'a>) -> Result<Next<'a>, ScoreError> {
        let length = protein.sequence.len();
        Ok(Next::Subject(Subject {
            protein,
            asked,
            copies: Copies::new(&self.question, length, asked, &self.cancel)?,
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

#[cfg(test)]
mod tests;
