//! What is still to be done for an output: which records to read, and what to do with them.

use super::{
    Frontier, RecordsHash, SinkError,
    chain::seams,
    ledger::{Commit, End, History},
    verifier::Verifier,
};
use crate::fasta::{self, Input};
use std::collections::{BTreeSet, VecDeque};

/// What is still to be done for an output, as passes over the inputs.
///
/// As a rule that is one: from the frontier to the end. There are more where parts were damaged or lost. Where
/// the inputs are the files that they were, a pass begins at its first record; else all records are read
/// again, and must have the hashes that they had.
pub struct Work {
    passes: VecDeque<Pass>,
    inputs: Vec<Input>,
    /// What is on the disk, and who looks whether it is as it was.
    done: Option<(History, Verifier)>,
    end: Option<End>,
}

/// What is to be done next for an output.
#[derive(Debug)]
pub enum Next {
    /// To go over these records.
    Pass(Pass),
    /// Nothing: all is there, and as it was.
    Nothing,
    /// Nobody knows: parts were still being looked at, and the wait for that was given up.
    GivenUp,
}

/// Records that are read one after the other.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The first record, and the hash of those before it. Where no place is given, it is the first of the
    /// inputs.
    pub begin: Frontier,
    /// Whether records are computed again because their part is damaged.
    pub is_mending: bool,
    /// What to do with the records, one after the other. There is one section at least.
    pub sections: Vec<Section>,
}

/// Consecutive records that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Behind the last record. Nothing, if it ends with the input.
    pub to: Option<u64>,
    /// What to do with them.
    pub task: Task,
    /// The hash that its first record goes on from, where that is not the one of all records before it.
    pub begin: Option<RecordsHash>,
    /// The hash of all records before `to`, if that is known.
    pub hash: Option<RecordsHash>,
}

/// What to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Its row is to be computed.
    Compute,
    /// It is done, and only has to be the record that it was.
    Verify,
    /// There should be none.
    Refuse,
}

impl Work {
    /// All records are to be embedded.
    pub(super) fn all(inputs: &[Input]) -> Self {
        Self {
            passes: [Pass::all()].into(),
            inputs: inputs.to_vec(),
            done: None,
            end: None,
        }
    }

    /// Nothing but to compare the records with those of a finished output.
    pub(super) fn compare(end: &End, inputs: &[Input]) -> Self {
        let mut at = 0;
        let compared = end.all_chains().into_iter().filter_map(|chain| {
            let begin = (at > 0).then(RecordsHash::new);
            at += chain.records;
            (chain.records > 0).then(|| Section {
                to: Some(at),
                task: Task::Verify,
                begin,
                hash: RecordsHash::from_hex(&chain.hash),
            })
        });
        let sections = compared.chain([Section::none_more()]).collect();
        Self {
            passes: [Pass {
                sections,
                ..Pass::all()
            }]
            .into(),
            inputs: inputs.to_vec(),
            done: None,
            end: Some(end.clone()),
        }
    }

    /// The end of the input, if that is known.
    pub fn end(&self) -> Option<Frontier> {
        let end = self.end.as_ref()?;
        Some(Frontier {
            record: end.records,
            hash: RecordsHash::from_hex(&end.hash_before(end.records)?)?,
            ..Frontier::default()
        })
    }

    /// What `history` lacks, of whose parts `verifier` looks whether they are as they were.
    ///
    /// # Errors
    /// If that must be known first, and a part cannot be read.
    pub(super) fn missing(
        history: History,
        inputs: &[Input],
        verifier: Verifier,
    ) -> Result<Self, SinkError> {
        let mut verifier = Some(verifier);
        let mut lacking = history.clone();
        if inputs.iter().any(Input::is_stream) {
            // A pipe is read once: what is damaged must be known before.
            let damaged: Vec<u64> = match verifier.take() {
                Some(verifier) => verifier.damaged(&|| false)?.unwrap_or_default(),
                None => Vec::new(),
            };
            lacking = lacking.without(&damaged);
        }
        let ranges = lacking.missing();
        Ok(Self {
            passes: passes(&history, &ranges, inputs),
            inputs: inputs.to_vec(),
            end: history.end.clone(),
            done: verifier.map(|verifier| (history, verifier)),
        })
    }

    /// Whether all that is known to be missing has been done, and no more is left than to hear whether old
    /// parts are damaged.
    pub fn only_waits(&self) -> bool {
        self.passes.is_empty() && self.done.is_some()
    }

    /// What is to be done next. When all that was lacking has been done, this waits for the news
    /// of damaged parts, which are then done again. While `give_up` says so, nobody waits.
    ///
    /// # Errors
    /// If an old part cannot be read, so that nobody knows whether it is damaged.
    pub fn next(&mut self, give_up: &dyn Fn() -> bool) -> Result<Next, SinkError> {
        if let Some(pass) = self.passes.pop_front() {
            return Ok(Next::Pass(pass));
        }
        let Some((history, verifier)) = self.done.take() else {
            return Ok(Next::Nothing);
        };
        let Some(damaged) = verifier.damaged(give_up)? else {
            return Ok(Next::GivenUp);
        };
        let commits = history.commits.iter();
        let ranges: Vec<_> = commits
            .filter(|commit| damaged.contains(&commit.from))
            .map(|commit| (commit.from, Some(commit.to)))
            .collect();
        if ranges.is_empty() {
            return Ok(Next::Nothing);
        }
        self.passes = passes(&history, &ranges, &self.inputs);
        let mending = self.passes.iter_mut();
        mending.for_each(|pass| pass.is_mending = true);
        Ok(self.passes.pop_front().map_or(Next::Nothing, Next::Pass))
    }
}

impl Section {
    /// The input has come to its end.
    fn none_more() -> Self {
        Self {
            to: None,
            task: Task::Refuse,
            begin: None,
            hash: None,
        }
    }
}

impl Pass {
    fn all() -> Self {
        Self {
            begin: Frontier::default(),
            is_mending: false,
            sections: vec![Section {
                to: None,
                task: Task::Compute,
                begin: None,
                hash: None,
            }],
        }
    }

    /// Records of the pass, where the end is known.
    pub fn n_records(&self) -> Option<u64> {
        let last = self.sections.last()?;
        last.to.map(|to| to - self.begin.record)
    }
}

/// Ranges of records, the last one of which may be open.
type Ranges = [(u64, Option<u64>)];
/// The records with which a chain of hashes begins.
type Seams = BTreeSet<u64>;

/// Passes that compute these ranges of records.
fn passes(history: &History, ranges: &Ranges, inputs: &[Input]) -> VecDeque<Pass> {
    let is_same = is_same_input(history, inputs);
    let seams = &seams(history);
    let ranges = &split(ranges, seams);
    let direct: Option<VecDeque<_>> = ranges
        .iter()
        .map(|range| direct_pass(history, seams, *range, inputs).filter(|_| is_same))
        .collect();
    direct.unwrap_or_else(|| [pass_from_the_beginning(history, seams, ranges)].into())
}

/// The same ranges, none of which goes over a seam.
fn split(ranges: &Ranges, seams: &Seams) -> Vec<(u64, Option<u64>)> {
    let mut pieces = Vec::new();
    for &(mut from, to) in ranges {
        let behind = seams.range(from + 1..);
        for &seam in behind.take_while(|seam| to.is_none_or(|to| **seam < to)) {
            pieces.push((from, Some(seam)));
            from = seam;
        }
        pieces.push((from, to));
    }
    pieces
}

/// Whether the inputs of a finished output are the files that they were.
fn is_same_input(history: &History, inputs: &[Input]) -> bool {
    let Some(end) = &history.end else {
        return true;
    };
    end.inputs.is_some() && end.inputs == fasta::inputs_state(inputs, inputs.len())
}

/// A pass that begins where the range does, if that place is known and the files before it are the same.
fn direct_pass(
    history: &History,
    seams: &Seams,
    (from, to): (u64, Option<u64>),
    inputs: &[Input],
) -> Option<Pass> {
    let computed = section(history, seams, from, to, Task::Compute);
    let begin = if from == 0 {
        Frontier::default()
    } else {
        let before = ends_at(history, from)?;
        let next = before.next.clone()?;
        let n_inputs = inputs.len().min(next.input + 1);
        let is_same =
            before.inputs.is_some() && before.inputs == fasta::inputs_state(inputs, n_inputs);
        Frontier {
            record: from,
            hash: RecordsHash::from_hex(&before.hash)?,
            next: Some(is_same.then_some(next)?),
            ..Frontier::default()
        }
    };
    Some(Pass {
        begin,
        is_mending: false,
        sections: vec![computed],
    })
}

/// A pass over all records, of which those that are done are compared with what they were.
fn pass_from_the_beginning(history: &History, seams: &Seams, ranges: &Ranges) -> Pass {
    let section = |from, to, task| section(history, seams, from, to, task);
    let mut sections = Vec::new();
    let mut computed = ranges.iter().peekable();
    let mut at = 0;
    for commit in history.commits.iter().filter(|commit| commit.records() > 0) {
        // What comes before the commit, or is the commit itself.
        while let Some((from, to)) = computed.next_if(|(from, _)| *from < commit.to) {
            if *from > at {
                sections.push(section(at, Some(*from), Task::Verify));
            }
            sections.push(section(*from, *to, Task::Compute));
            at = to.unwrap_or(u64::MAX);
        }
        if commit.from >= at {
            sections.push(section(at, Some(commit.to), Task::Verify));
            at = commit.to;
        }
    }
    let rest = computed.map(|(from, to)| section(*from, *to, Task::Compute));
    sections.extend(rest);
    if history.end.is_some() {
        sections.push(Section::none_more());
    }
    Pass {
        sections,
        ..Pass::all()
    }
}

fn section(history: &History, seams: &Seams, from: u64, to: Option<u64>, task: Task) -> Section {
    Section {
        to,
        task,
        begin: seams.contains(&from).then(RecordsHash::new),
        hash: to.and_then(|to| hash_at(history, seams, to)),
    }
}

fn ends_at(history: &History, record: u64) -> Option<&Commit> {
    history.commits.iter().find(|commit| commit.to == record)
}

/// The hash of the records before this one, if it is a place where a commit or a chain begins or ends. Where
/// a chain begins, it is that of the one that ends there.
fn hash_at(history: &History, seams: &Seams, record: u64) -> Option<RecordsHash> {
    let mut commits = history.commits.iter();
    let ends = || Some(ends_at(history, record)?.hash.clone());
    let end = || history.end.as_ref()?.hash_before(record);
    let is_seam = seams.contains(&record);
    let begins = commits.find(|commit| commit.from == record && !is_seam);
    let hash = ends().or_else(end);
    let hash = hash.or_else(|| begins.map(|commit| commit.before.clone()))?;
    RecordsHash::from_hex(&hash)
}
