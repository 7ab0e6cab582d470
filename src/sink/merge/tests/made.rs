//! Shards that are made up.

use super::super::*;
use crate::{
    fasta::{Outcome, Rejection},
    hint::Hint,
    job::Shard,
    sink::{
        RecordsHash, State,
        chain::hash_of,
        ledger::{Commit, End, Entry, Header, Ledger, PartFile, ShardHeader, VERSION, read},
        parquet::tests::write_part,
        status, verify,
    },
};
use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

const LAYERS: [usize; 1] = [6];

/// Three shards: one with two parts, one without records, one with rejections between its rows.
pub const SHARDS: [&[(Range<u64>, u64)]; 3] =
    [&[(0..4, 0), (4..6, 1)], &[], &[(6..7, 2), (7..9, 0)]];

/// An output in a folder of its own.
pub struct Made {
    pub folder: TempDir,
    pub name: &'static str,
}

impl Made {
    /// The shards of an output of that name.
    pub fn new(name: &'static str) -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            name,
        };
        for (index, parts) in SHARDS.iter().enumerate() {
            made.shard(index as u32, parts);
        }
        made
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn output(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.folder.path().display(), self.name))
    }

    pub fn place(&self) -> Place {
        Place::of(&OutputTarget::of(&self.output()).unwrap())
    }

    pub fn shard_place(&self, index: u32) -> Place {
        let shard = Shard::new(index, SHARDS.len() as u32).unwrap();
        self.place().shard(shard)
    }

    /// A shard whose parts have these rows and so many rejections behind them.
    pub fn shard(&self, index: u32, parts: &[(Range<u64>, u64)]) {
        let place = self.shard_place(index);
        let mut ledger = Ledger::create(&place.ledger(), &header(index)).unwrap();
        let mut at = 0;
        let mut hash = RecordsHash::new();
        let empty = [(0..0, 0)];
        let parts = if parts.is_empty() { &empty } else { parts };
        for (rows, rejected) in parts {
            let n_rows = rows.end - rows.start;
            let before = hash;
            for n in 0..n_rows + rejected {
                hash = hash.with(&outcome(rows.start + n));
            }
            let file = part_file(&place.parts().join(place.part_name(at)), |path| {
                write_part(path, rows.clone(), &LAYERS);
            });
            let list = place.bookkeeping().join(Place::part_rejects_name(at));
            let rejects = (*rejected > 0).then(|| {
                part_file(&list, |path| {
                    let ordinals = at + n_rows..at + n_rows + rejected;
                    let lines = ordinals.map(|n| format!("{}\tid\tempty\n", n + 1));
                    fs::write(path, lines.collect::<String>()).unwrap();
                })
            });
            ledger
                .append(&Entry::Commit(Commit {
                    from: at,
                    to: at + n_rows + rejected,
                    rows: n_rows,
                    rejected: *rejected,
                    truncated: 0,
                    residues: 0,
                    tokens: 0,
                    before: before.to_hex(),
                    hash: hash.to_hex(),
                    first: None,
                    file: Some(file),
                    rejects,
                    next: None,
                    inputs: None,
                    at: "2026-01-01T00:00:00Z".to_owned(),
                    seconds: 1.0,
                }))
                .unwrap();
            at += n_rows + rejected;
        }
        ledger.append(&Entry::End(end(at, hash))).unwrap();
    }

    pub fn merge(&self) -> Result<Merged, SinkError> {
        merge(&self.plan(), &mut go_on)
    }

    pub fn plan(&self) -> MergePlan {
        MergePlan::new(&self.output())
    }

    pub fn refused(&self) -> (String, String) {
        let before = snapshot(self.folder.path());
        let error = self.merge().unwrap_err();
        assert_eq!(snapshot(self.folder.path()), before);
        (error.to_string(), error.hint().unwrap())
    }

    /// Checks that nothing is left but the whole output.
    pub fn check_merged(&self) {
        let place = self.place();
        let names: Vec<_> = snapshot(self.folder.path())
            .into_iter()
            .map(|(path, _)| path.to_str().unwrap().to_owned())
            .collect();
        let expected = match place.is_folder() {
            false => vec!["x.parquet", "x.parquet.rejects.tsv"],
            true => vec![
                "x/part-000000000000.parquet",
                "x/part-000000000004.parquet",
                "x/part-000000000007.parquet",
                "x/part-000000000010.parquet",
                "x.ledger/ledger.jsonl",
                "x.ledger/manifest.json",
                "x.ledger/part-000000000004.rejects.tsv",
                "x.ledger/part-000000000007.rejects.tsv",
                "x.rejects.tsv",
            ],
        };
        assert_eq!(names, expected);
        let list = fs::read_to_string(place.rejects()).unwrap();
        let lines = "7\tid\tempty\n9\tid\tempty\n10\tid\tempty\n";
        assert_eq!(list, format!("ordinal\tid\treason\n{lines}"));
        let verified = verify(&self.output()).unwrap();
        assert_eq!((verified.flaws, verified.is_finished), (vec![], true));
        let status = status(&self.output()).unwrap();
        assert_eq!(status.state, State::Finished);
        assert_eq!((status.records, status.rows, status.rejected), (12, 9, 3));
        let end = match place.is_folder() {
            true => read(&place.ledger()).unwrap().unwrap().end.unwrap(),
            false => {
                finished_at(place.output(), Existing::Stays)
                    .unwrap()
                    .unwrap()
                    .end
            }
        };
        assert_eq!(end.chains.len(), 2);
        assert_eq!(end.chains[0].records, 7);
        assert_eq!(end.hash, hash_of(&end.chains));
    }
}

fn outcome(n: u64) -> Outcome {
    Outcome::Rejected(Rejection {
        id: n.to_string(),
        reason: String::new(),
    })
}

pub fn header(index: u32) -> Header {
    Header {
        ledger: VERSION,
        identity: [("model".to_owned(), "m".to_owned())].into(),
        format: "parquet".to_owned(),
        settings: [("version".to_owned(), "0.1.0".to_owned())].into(),
        shard: Some(ShardHeader {
            shard: Shard::new(index, SHARDS.len() as u32).unwrap(),
            division: "d".to_owned(),
        }),
    }
}

fn end(records: u64, hash: RecordsHash) -> End {
    End {
        records,
        rows: 0,
        rejected: 0,
        hash: hash.to_hex(),
        chains: Vec::new(),
        first: None,
        next: None,
        inputs: None,
        at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

fn part_file(path: &Path, write: impl FnOnce(&Path)) -> PartFile {
    write(path);
    let bytes = fs::read(path).unwrap();
    PartFile {
        name: path.file_name().unwrap().to_str().unwrap().to_owned(),
        bytes: bytes.len() as u64,
        blake3: blake3::hash(&bytes).to_hex().to_string(),
    }
}

pub fn go_on(_: MergeStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All files, by their paths below a folder, and what is in them.
pub fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                files.push((path.strip_prefix(folder).unwrap().to_owned(), bytes));
            }
        }
    }
    files.sort();
    files
}

/// What would be on the disk if the power went off now.
pub fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in snapshot(folder) {
        let path = copy.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    copy
}
