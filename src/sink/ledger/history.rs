//! What became of an output so far.

use super::{Commit, End, Entry, Header, LastWords, LedgerError, PartFile, Stretch, line};
use std::{collections::BTreeMap, path::Path};

/// What became of an output so far: which records are on the disk, and who put them there.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What the output is.
    pub header: Header,
    /// Who worked on it, in order.
    pub stretches: Vec<Stretch>,
    /// What is on the disk, by [`Commit::from`]. None overlaps another: a later commit has taken the place
    /// of all that it overlapped.
    pub commits: Vec<Commit>,
    /// What the whole output holds, once that is known. Parts may be missing all the same.
    pub end: Option<End>,
    /// What each stretch has committed.
    pub(in crate::sink) done: Vec<Done>,
    /// Lines that are no entries, but for one that was torn at the end.
    pub damaged_lines: u64,
}

/// Some work on an output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Done {
    /// Rows.
    pub rows: u64,
    /// The time that they took.
    pub seconds: f64,
}

/// The text of a ledger, read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Nothing, if there is no entry.
    pub(super) history: Option<History>,
    /// Bytes of its lines, whether whole or damaged. What stands behind them was torn.
    pub(super) n_bytes: u64,
}

impl Reading {
    /// Reads the text of the ledger at `path`.
    ///
    /// # Errors
    /// A newer program wrote it, or there are commits without a header.
    pub(super) fn of(text: &[u8], path: &Path) -> Result<Self, LedgerError> {
        let mut n_bytes = 0;
        let mut header = None;
        let mut stretches = Vec::new();
        let mut live = BTreeMap::new();
        let mut end = None;
        let mut done: Vec<Done> = Vec::new();
        let mut damaged_lines = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            n_bytes += line.len() as u64 + 1;
            match line::entry(line, path)? {
                Some(Entry::Header(found)) if header.is_none() => header = Some(found),
                Some(Entry::Stretch(stretch)) => {
                    stretches.push(stretch);
                    done.push(Done::default());
                }
                Some(Entry::Commit(commit)) => {
                    end = end.filter(|end: &End| commit.to <= end.records);
                    if let Some(done) = done.last_mut() {
                        done.rows += commit.rows;
                        done.seconds += commit.seconds;
                    }
                    supersede(&mut live, commit);
                }
                Some(Entry::End(found)) => end = Some(found),
                Some(Entry::Header(_)) | None => damaged_lines += 1,
            }
        }
        let history = match header {
            Some(header) => Some(History {
                header,
                stretches,
                commits: live.into_values().collect(),
                end,
                done,
                damaged_lines,
            }),
            None if live.is_empty() => None,
            None => {
                return Err(LedgerError::Headless {
                    path: path.to_owned(),
                    n_commits: live.len(),
                });
            }
        };
        Ok(Self { history, n_bytes })
    }
}

/// Puts a commit in the place of all that it overlaps.
fn supersede(live: &mut BTreeMap<u64, Commit>, commit: Commit) {
    // Live ones do not overlap each other, so of those that begin before it only the last can reach it.
    let before = live.range(..commit.from).next_back();
    let first = match before {
        Some((from, before)) if before.overlaps(commit.from, commit.to) => *from,
        _ => commit.from,
    };
    let gone: Vec<u64> = live
        .range(first..commit.to)
        .map(|(from, _)| *from)
        .collect();
    for from in gone {
        live.remove(&from);
    }
    live.insert(commit.from, commit);
}

impl History {
    /// Nothing has been done yet.
    pub fn begun(header: Header) -> Self {
        Self {
            header,
            stretches: Vec::new(),
            commits: Vec::new(),
            end: None,
            done: Vec::new(),
            damaged_lines: 0,
        }
    }

    /// The records without a commit, from a first one up to a last one, which is open where nobody knows
    /// yet how many there are.
    pub fn missing(&self) -> Vec<(u64, Option<u64>)> {
        let mut missing = Vec::new();
        let mut next = 0;
        for commit in &self.commits {
            if commit.from > next {
                missing.push((next, Some(commit.from)));
            }
            next = commit.to;
        }
        match &self.end {
            None => missing.push((next, None)),
            Some(end) if next < end.records => missing.push((next, Some(end.records))),
            Some(_) => {}
        }
        missing
    }

    /// What each stretch has committed.
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// What the last stretch had computed and not committed when it last said how far it was.
    pub fn lost(&self, last_words: Option<&LastWords>) -> Done {
        let is_new =
            |words: &&LastWords| words.n_stretches.is_none_or(|n| self.stretches.len() <= n);
        let Some(LastWords { beat, .. }) = last_words.filter(is_new) else {
            return Done::default();
        };
        let committed = self.done.last().copied().unwrap_or_default();
        Done {
            rows: beat.rows.saturating_sub(committed.rows),
            seconds: (beat.seconds - committed.seconds).max(0.0),
        }
    }

    /// Whether all records are there.
    pub fn is_complete(&self) -> bool {
        self.missing().is_empty()
    }

    /// What is left without the commits that begin at these records, as their parts are damaged or
    /// missing.
    #[must_use]
    pub fn without(mut self, from: &[u64]) -> Self {
        self.commits.retain(|commit| !from.contains(&commit.from));
        self
    }

    /// Records that are committed.
    pub fn records(&self) -> u64 {
        self.commits.iter().map(Commit::records).sum()
    }

    /// Rows that are committed.
    pub fn rows(&self) -> u64 {
        self.commits.iter().map(|commit| commit.rows).sum()
    }

    /// Rejections that are committed.
    pub fn rejected(&self) -> u64 {
        self.commits.iter().map(|commit| commit.rejected).sum()
    }

    /// Tokens that are committed.
    pub fn tokens(&self) -> u64 {
        self.commits.iter().map(|commit| commit.tokens).sum()
    }

    /// The time that what is committed took.
    pub fn seconds(&self) -> f64 {
        self.commits.iter().map(|commit| commit.seconds).sum()
    }

    /// Rows that were computed and lost, as their process ended before their commit.
    pub fn lost_rows(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.lost_rows).sum()
    }

    /// The time that they took.
    pub fn lost_seconds(&self) -> f64 {
        let seconds = self.stretches.iter().map(|stretch| stretch.lost_seconds);
        seconds.sum()
    }

    /// The files of rows, in input order.
    pub fn parts(&self) -> impl Iterator<Item = &PartFile> {
        self.commits
            .iter()
            .filter_map(|commit| commit.file.as_ref())
    }
}
