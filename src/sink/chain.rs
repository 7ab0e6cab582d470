//! Consecutive records whose hashes are one chain: all of an output, or, of one that was merged, those of a
//! shard.

use super::{
    RecordsHash,
    ledger::{Chain, Commit, End, History},
};
use std::collections::BTreeSet;

/// The chains of commits that follow each other.
///
/// # Errors
/// The first record of a commit that is missing, or that does not go on where the one before it ended.
pub(super) fn chains(commits: &[Commit]) -> Result<Vec<Chain>, u64> {
    let nothing = RecordsHash::new().to_hex();
    let mut chains: Vec<Chain> = Vec::new();
    let mut at = 0;
    for commit in commits {
        if commit.from != at {
            return Err(at);
        }
        match chains.last_mut() {
            Some(chain) if chain.hash == commit.before => {
                chain.records += commit.records();
                chain.hash.clone_from(&commit.hash);
            }
            _ if commit.before == nothing => chains.push(Chain {
                records: commit.records(),
                hash: commit.hash.clone(),
            }),
            _ => return Err(at),
        }
        at = commit.to;
    }
    Ok(chains)
}

/// The hash of all records of an output: that of its chain, or one of them all.
pub(super) fn hash_of(chains: &[Chain]) -> String {
    match chains {
        [] => RecordsHash::new().to_hex(),
        [chain] => chain.hash.clone(),
        chains => {
            let mut hasher = blake3::Hasher::new();
            for Chain { records, hash } in chains {
                hasher.update(&records.to_le_bytes());
                hasher.update(hash.as_bytes());
            }
            hasher.finalize().to_hex().to_string()
        }
    }
}

impl History {
    /// Whether all records are there, and are those that its end speaks of. Where a line of a ledger is damaged,
    /// some have no commit, or an older one that another had taken the place of.
    pub(super) fn is_sound(&self) -> bool {
        let is_end = |end: &End| {
            let chains = chains(&self.commits).map(|chains| hash_of(&chains));
            self.records() == end.records && chains.is_ok_and(|hash| hash == end.hash)
        };
        self.is_complete() && self.end.as_ref().is_some_and(is_end)
    }
}

impl End {
    /// Takes the chains of all commits.
    pub(super) fn set_chains(&mut self, chains: Vec<Chain>) {
        self.hash = hash_of(&chains);
        // One is what the entries without it say.
        self.chains = if chains.len() > 1 { chains } else { Vec::new() };
    }

    /// All chains, one at least.
    pub(super) fn all_chains(&self) -> Vec<Chain> {
        match self.chains.is_empty() {
            false => self.chains.clone(),
            true => vec![Chain {
                records: self.records,
                hash: self.hash.clone(),
            }],
        }
    }

    /// The hash of the chain that ends before this record, if one does.
    pub(super) fn hash_before(&self, record: u64) -> Option<String> {
        let mut at = 0;
        let mut chains = self.all_chains().into_iter();
        let chain = chains.find(|chain| {
            at += chain.records;
            at == record
        });
        chain.map(|chain| chain.hash)
    }
}

/// The records with which a chain begins, but for the first one of all.
pub(super) fn seams(history: &History) -> BTreeSet<u64> {
    let nothing = RecordsHash::new().to_hex();
    let commits = history.commits.iter();
    let begin_anew = commits.filter(|commit| commit.from > 0 && commit.before == nothing);
    let mut seams: BTreeSet<u64> = begin_anew.map(|commit| commit.from).collect();
    if let Some(end) = &history.end {
        // Where a commit is missing, the end still knows.
        let mut at = 0;
        for chain in &end.chains {
            seams.extend((at > 0).then_some(at));
            at += chain.records;
        }
    }
    seams
}
