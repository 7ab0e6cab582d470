//! All that finished shards, or a finished folder, hold, as one output.

use super::{Merged, check, problems::Problems, source::Source};
use crate::job::{OutputFormat, SHARD_SETTING};
use crate::sink::{
    SinkError,
    chain::chains,
    identity::{Finished, in_format},
    ledger::{Commit, End, Entry, Header, History, PartFile, Stretch},
    left,
    place::Place,
    shards_error::ShardsError,
};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// All that finished shards, or a finished folder, hold, as one output.
pub(super) struct Whole {
    /// What its ledger will say.
    pub(super) history: History,
    pub(super) end: End,
    /// Where the files of its commits lie, one for each of them.
    pub(super) pieces: Vec<Piece>,
    /// The entries of the ledger, in an order in which they could have come.
    entries: Vec<Entry>,
    n_shards: usize,
    warning: Option<String>,
}

/// Where the files of a commit lie.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) file: Option<PathBuf>,
    pub(super) rejects: Option<PathBuf>,
    /// The shard that they are of, if they are of one.
    pub(super) shard: Option<Place>,
    /// Records before those that its rejections are counted from.
    pub(super) base: u64,
}

impl Whole {
    /// Puts shards one behind the other.
    ///
    /// # Errors
    /// If their files are not as they were.
    pub(super) fn of_shards(place: &Place, sources: &[Source]) -> Result<Self, SinkError> {
        let has_records = sources.iter().any(|source| source.history.records() > 0);
        // A part without rows is needed only where nothing else says which columns there are, and once.
        let has_rows = sources.iter().any(|source| source.history.rows() > 0);
        let mut empty_parts = sources.iter().filter(|_| !has_rows).flat_map(|source| {
            let parts = source.history.parts().cloned();
            parts.map(|part| (source.place.bookkeeping().join(&part.name), part))
        });
        let mut empty = empty_parts.next();
        let mut whole = Self {
            history: History::begun(Header {
                shard: None,
                ..sources[0].history.header.clone()
            }),
            end: end_of(sources),
            pieces: Vec::new(),
            entries: Vec::new(),
            n_shards: sources.len(),
            warning: check::doubt(sources),
        };
        let mut base = 0;
        let mut moved = HashMap::new();
        for source in sources {
            let history = &source.history;
            let stretches: Vec<_> = history.stretches.iter().map(of_all).collect();
            let mut entries: Vec<_> = stretches.iter().cloned().map(Entry::Stretch).collect();
            whole.history.stretches.extend(stretches);
            for commit in &history.commits {
                if commit.records() == 0 && (has_records || empty.is_none()) {
                    continue;
                }
                let at = |file: &str| source.place.bookkeeping().join(file);
                let part = match commit.rows > 0 {
                    true => commit.file.clone().map(|part| (at(&part.name), part)),
                    false => empty.take(),
                };
                let from = base + commit.from;
                let (file, part) = part.unzip();
                let mut renumbered = Commit {
                    from,
                    to: base + commit.to,
                    first: None,
                    file: part.map(|part| PartFile {
                        name: place.part_name(from),
                        ..part
                    }),
                    ..commit.clone()
                };
                if let (Some(path), Some(part)) = (&file, &renumbered.file) {
                    moved.insert(path.clone(), place.parts().join(&part.name));
                }
                let rejects = renumbered.rejects.as_mut().map(|list| {
                    let path = at(&list.name);
                    list.name = Place::part_rejects_name(from);
                    path
                });
                whole.pieces.push(Piece {
                    file,
                    rejects,
                    shard: Some(source.place.clone()),
                    base,
                });
                entries.push(Entry::Commit(renumbered.clone()));
                whole.history.commits.push(renumbered);
            }
            entries.sort_by(|one, other| at(one).cmp(&at(other)));
            whole.entries.extend(entries);
            base += history.records();
        }
        let chains = chains(&whole.history.commits).map_err(|record| SinkError::Gap { record })?;
        whole.end.set_chains(chains);
        whole.history.end = Some(whole.end.clone());
        let mut problems = Problems::default();
        for source in sources {
            let moved = |path: &Path| moved.get(path).filter(|_| place.is_folder()).cloned();
            check::files(source, moved, &mut problems)?;
        }
        Ok(problems.none_or(place, whole)?)
    }

    /// Takes a finished folder as it is.
    ///
    /// # Errors
    /// If parts are missing or cut.
    pub(super) fn of_folder(place: &Place, history: History) -> Result<Self, SinkError> {
        left::check_whole(place, &history)?;
        let end = history.end.clone();
        let end = end.ok_or_else(|| ShardsError::Unfinished(place.output().to_owned()))?;
        let piece = |commit: &Commit| Piece {
            file: commit
                .file
                .as_ref()
                .map(|file| place.parts().join(&file.name)),
            rejects: commit
                .rejects
                .as_ref()
                .map(|list| place.bookkeeping().join(&list.name)),
            shard: None,
            base: 0,
        };
        Ok(Self {
            pieces: history.commits.iter().map(piece).collect(),
            end,
            history,
            entries: Vec::new(),
            n_shards: 0,
            warning: None,
        })
    }

    /// Shards that it was put together from.
    pub(super) fn n_shards(&self) -> usize {
        self.n_shards
    }

    /// Whether a finished output is this one, in that format.
    pub(super) fn is(&self, finished: &Finished, format: OutputFormat) -> bool {
        finished.identity == self.identity(format) && finished.end.hash == self.end.hash
    }

    /// What it is as a file of this format.
    fn identity(&self, format: OutputFormat) -> BTreeMap<String, String> {
        in_format(self.history.header.identity.clone(), format)
    }

    /// The entries of its ledger. What is changed in the commits is in `history`.
    pub(super) fn entries(&self, history: &History) -> Vec<Entry> {
        let commits = history.commits.iter();
        let commits: HashMap<u64, &Commit> = commits.map(|commit| (commit.from, commit)).collect();
        let entries = self.entries.iter().map(|entry| match entry {
            Entry::Commit(commit) => {
                Entry::Commit(commits.get(&commit.from).map_or(commit, |now| *now).clone())
            }
            other => other.clone(),
        });
        let header = Entry::Header(self.history.header.clone());
        let end = Entry::End(self.end.clone());
        [header].into_iter().chain(entries).chain([end]).collect()
    }

    /// All that a finished file of this format says of itself.
    ///
    /// # Errors
    /// If records went missing, which is a bug of this program.
    pub(super) fn metadata(
        &self,
        format: OutputFormat,
    ) -> Result<Vec<(String, String)>, SinkError> {
        let finished = Finished {
            identity: self.identity(format),
            end: self.end.clone(),
            stretches: self.history.stretches.clone(),
        };
        Ok(finished.entries(&self.history)?.into_iter().collect())
    }

    /// What came of the merge.
    pub(super) fn merged(
        &self,
        place: &Place,
        rejects: Option<PathBuf>,
        n_shards: usize,
    ) -> Merged {
        let mut published = place.published();
        published.rejects = rejects;
        Merged {
            published,
            records: self.end.records,
            rows: self.end.rows,
            rejected: self.end.rejected,
            shards: n_shards as u64,
            is_old: false,
            warning: self.warning.clone(),
        }
    }
}

/// The work of a process, as work on all of the output.
fn of_all(stretch: &Stretch) -> Stretch {
    let mut stretch = stretch.clone();
    stretch.settings.remove(SHARD_SETTING);
    stretch
}

/// When an entry was made. A stretch comes before what was committed in the same second.
fn at(entry: &Entry) -> (&str, bool) {
    match entry {
        Entry::Stretch(stretch) => (&stretch.at, false),
        Entry::Commit(commit) => (&commit.at, true),
        Entry::Header(_) | Entry::End(_) => ("", false),
    }
}

/// The end of all of them, but for the hash.
fn end_of(sources: &[Source]) -> End {
    let ends: Vec<&End> = sources
        .iter()
        .filter_map(|source| source.history.end.as_ref())
        .collect();
    let sum = |of: fn(&History) -> u64| sources.iter().map(|source| of(&source.history)).sum();
    let inputs = ends.first().and_then(|end| end.inputs.clone());
    End {
        records: sum(History::records),
        rows: sum(History::rows),
        rejected: sum(History::rejected),
        hash: String::new(),
        chains: Vec::new(),
        first: None,
        next: None,
        // On each machine, the same files may be in another state.
        inputs: inputs.filter(|first| {
            let mut ends = ends.iter();
            ends.all(|end| end.inputs.as_ref() == Some(first))
        }),
        at: ends
            .iter()
            .map(|end| end.at.clone())
            .max()
            .unwrap_or_default(),
    }
}
