//! Merges that are ended at any step, and shards that cannot be merged.

use super::*;
use crate::{
    fasta::{Offset, Outcome, Position, Rejection},
    hint::Hint,
    job::{MergePlan, Shard},
    sink::{
        RecordsHash,
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
const SHARDS: [&[(Range<u64>, u64)]; 3] = [&[(0..4, 0), (4..6, 1)], &[], &[(6..7, 2), (7..9, 0)]];

/// An output in a folder of its own.
struct Made {
    folder: TempDir,
    name: &'static str,
}

impl Made {
    /// The shards of an output of that name.
    fn new(name: &'static str) -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
            name,
        };
        for (index, parts) in SHARDS.iter().enumerate() {
            made.shard(index as u32, parts);
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn output(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.folder.path().display(), self.name))
    }

    fn place(&self) -> Place {
        Place::of(&OutputTarget::of(&self.output()).unwrap())
    }

    fn shard_place(&self, index: u32) -> Place {
        let shard = Shard::new(index, SHARDS.len() as u32).unwrap();
        self.place().shard(shard)
    }

    /// A shard whose parts have these rows and so many rejections behind them.
    fn shard(&self, index: u32, parts: &[(Range<u64>, u64)]) {
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

    fn merge(&self) -> Result<Merged, SinkError> {
        merge(&self.plan(), &mut go_on)
    }

    fn plan(&self) -> MergePlan {
        MergePlan::new(&self.output())
    }

    fn refused(&self) -> (String, String) {
        let before = snapshot(self.folder.path());
        let error = self.merge().unwrap_err();
        assert_eq!(snapshot(self.folder.path()), before);
        (error.to_string(), error.hint().unwrap())
    }

    /// Checks that nothing is left but the whole output.
    fn check_merged(&self) {
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
        assert_eq!(status.state, crate::sink::State::Finished);
        assert_eq!((status.records, status.rows, status.rejected), (12, 9, 3));
        let end = match place.is_folder() {
            true => read(&place.ledger()).unwrap().unwrap().end.unwrap(),
            false => finished_file(place.output()).unwrap().unwrap().end,
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

fn header(index: u32) -> Header {
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

fn go_on(_: MergeStep) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// All files, by their paths below a folder, and what is in them.
fn snapshot(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
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
fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in snapshot(folder) {
        let path = copy.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    copy
}

#[test]
fn a_merge_that_is_ended_at_any_moment_is_done_again() {
    for name in ["x.parquet", "x/"] {
        let made = Made::new(name);
        let mut left = Vec::new();
        let mut on_step = |_| {
            left.push(copy(made.folder.path()));
            ControlFlow::Continue(())
        };
        let merged = merge(&made.plan(), &mut on_step).unwrap();
        assert_eq!((merged.records, merged.rows, merged.rejected), (12, 9, 3));
        assert_eq!((merged.shards, merged.is_old), (3, false));
        made.check_merged();
        let expected = snapshot(made.folder.path());
        assert!(left.len() >= 9, "{}", left.len());
        for (n, folder) in left.into_iter().enumerate() {
            let made = Made { folder, name };
            made.merge()
                .unwrap_or_else(|error| panic!("{name} {n}: {error}"));
            made.check_merged();
            let now = snapshot(made.folder.path());
            assert!(name == "x/" || now == expected, "{name} {n}");
        }
        // What is merged stays as it is.
        let merged = made.merge().unwrap();
        assert!(merged.is_old);
        assert_eq!((merged.records, merged.rows, merged.rejected), (12, 9, 3));
        assert_eq!(snapshot(made.folder.path()), expected);
    }
}

#[test]
fn a_merge_that_is_told_to_end_loses_nothing() {
    for name in ["x.parquet", "x/"] {
        for n_steps in 0..16 {
            let made = Made::new(name);
            let mut n = 0;
            let mut on_step = |_| {
                n += 1;
                match n > n_steps {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            if let Err(error) = merge(&made.plan(), &mut on_step) {
                assert!(error.to_string().ends_with("was stopped"), "{error}");
                assert!(!made.place().lock().exists());
            }
            made.merge().unwrap();
            made.check_merged();
        }
    }
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    for name in ["x.parquet", "x/"] {
        let made = Made::new(name);
        fs::remove_dir_all(made.shard_place(1).bookkeeping()).unwrap();
        let place = made.shard_place(2);
        Ledger::create(&place.ledger(), &header(2)).unwrap();
        let part = made
            .shard_place(0)
            .parts()
            .join("part-000000000004.parquet");
        fs::write(part, "cut").unwrap();
        let (message, hint) = made.refused();
        for expected in [
            "cannot be merged",
            "\n  shard 1/3 is missing",
            "\n  shard 2/3 is not finished: 0 of its records are done",
        ] {
            assert!(message.contains(expected), "{message}");
        }
        assert!(hint.contains("--shard 1/3"), "{hint}");
        assert!(hint.contains("--shard 2/3"), "{hint}");
        made.shard(1, &[]);
        made.shard_place(2).discard(None).unwrap();
        made.shard(2, SHARDS[2]);
        let (message, hint) = made.refused();
        let expected = "shard 0/3 lost 1 file, or they are damaged";
        assert!(message.contains(expected), "{message}");
        assert!(hint.contains("--shard 0/3"), "{hint}");
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let check = |change: &dyn Fn(&mut Header, &mut End), expected: &[&str]| {
        let made = Made::new("x.parquet");
        let place = made.shard_place(2);
        let history = read(&place.ledger()).unwrap().unwrap();
        let (mut header, mut end) = (history.header, history.end.unwrap());
        change(&mut header, &mut end);
        let mut ledger = Ledger::create(&place.ledger(), &header).unwrap();
        for commit in history.commits {
            ledger.append(&Entry::Commit(commit)).unwrap();
        }
        ledger.append(&Entry::End(end)).unwrap();
        let (message, hint) = made.refused();
        for expected in expected {
            assert!(message.contains(expected), "{message}");
        }
        assert!(hint.contains("remove the folders"), "{hint}");
    };
    check(
        &|header, _| {
            header.identity.insert("model".to_owned(), "n".to_owned());
        },
        &["shards 0/3 and 2/3 are of different outputs: model is m and n"],
    );
    check(
        &|header, _| header.shard.as_mut().unwrap().division = "e".to_owned(),
        &["shards 0/3 and 2/3 are of inputs with different sizes"],
    );
    // Where records are counted from the beginning of a file, none may be missing between two shards.
    let made = Made::new("x.parquet");
    let position = |n_records| Position {
        from: Offset::Beginning,
        ..Position::beginning_of(0).advanced(n_records)
    };
    for (index, first, next) in [(0, 0, 7), (2, 8, 12)] {
        let path = made.shard_place(index).ledger();
        let (mut ledger, history) = Ledger::open(&path).unwrap().unwrap();
        let end = End {
            first: Some(position(first)),
            next: Some(position(next)),
            ..history.end.unwrap()
        };
        ledger.append(&Entry::End(end)).unwrap();
    }
    let (message, _) = made.refused();
    let expected = "shard 0/3 ends before record 8 of input 1, and shard 2/3 begins with record 9";
    assert!(message.contains(expected), "{message}");
    // Folders of another division.
    let made = Made::new("x.parquet");
    fs::create_dir(made.place().shard(Shard::new(1, 7).unwrap()).bookkeeping()).unwrap();
    let (message, hint) = made.refused();
    assert!(message.contains("shards of 3, and of 7"), "{message}");
    assert!(hint.contains("x.parquet.parts"), "{hint}");
}

#[test]
fn a_shard_on_which_somebody_works_is_not_merged() {
    let made = Made::new("x.parquet");
    let (owner, _) = Owner::take(&made.shard_place(1).lock()).unwrap();
    let error = made.merge().unwrap_err();
    let expected = format!("shard 1/3 is being made by process {}", std::process::id());
    assert!(error.to_string().contains(&expected), "{error}");
    drop(owner);
    let (owner, _) = Owner::take(&made.place().lock()).unwrap();
    let error = made.merge().unwrap_err();
    assert!(error.to_string().contains("is being written by process"));
    drop(owner);
    made.merge().unwrap();
    made.check_merged();
}

#[test]
fn a_damaged_part_does_not_come_into_a_file() {
    let made = Made::new("x.parquet");
    let part = made
        .shard_place(0)
        .parts()
        .join("part-000000000000.parquet");
    let mut bytes = fs::read(&part).unwrap();
    bytes[100] ^= 1;
    fs::write(&part, bytes).unwrap();
    let (message, hint) = made.refused();
    assert!(
        message.contains("part-000000000000.parquet` is damaged"),
        "{message}"
    );
    assert!(hint.contains("run the script again"), "{hint}");
}

#[test]
fn one_file_is_made_of_shards_or_of_a_folder_which_stay() {
    let made = Made::new("x/");
    let into = |file: &str, overwrite| MergePlan {
        file: Some(made.path(file)),
        overwrite,
        ..made.plan()
    };
    let before = snapshot(made.folder.path());
    let merged = merge(&into("y.parquet", false), &mut go_on).unwrap();
    assert_eq!((merged.rows, merged.shards, merged.is_old), (9, 3, false));
    let of_shards = fs::read(made.path("y.parquet")).unwrap();
    let list = fs::read(made.path("y.parquet.rejects.tsv")).unwrap();
    for name in ["y.parquet", "y.parquet.rejects.tsv"] {
        fs::remove_file(made.path(name)).unwrap();
    }
    assert_eq!(snapshot(made.folder.path()), before);
    made.merge().unwrap();
    let before = snapshot(made.folder.path());
    fs::write(made.path("y.parquet"), "somebody's").unwrap();
    let error = merge(&into("y.parquet", false), &mut go_on).unwrap_err();
    assert!(error.to_string().contains("y.parquet` exists"), "{error}");
    merge(&into("y.parquet", true), &mut go_on).unwrap();
    assert!(fs::read(made.path("y.parquet")).unwrap() == of_shards);
    assert_eq!(fs::read(made.path("y.parquet.rejects.tsv")).unwrap(), list);
    assert!(merge(&into("y.parquet", false), &mut go_on).unwrap().is_old);
    for name in ["y.parquet", "y.parquet.rejects.tsv"] {
        fs::remove_file(made.path(name)).unwrap();
    }
    assert_eq!(snapshot(made.folder.path()), before);
    // Not among the parts.
    let error = merge(&into("x/z.parquet", false), &mut go_on).unwrap_err();
    assert!(error.to_string().contains("would lie in"), "{error}");
}

#[test]
fn where_there_are_no_shards_there_is_nothing_to_merge() {
    let folder = tempfile::tempdir().unwrap();
    let made = Made {
        folder,
        name: "x.parquet",
    };
    assert!(matches!(made.merge(), Err(SinkError::NoOutput { .. })));
    // One that was begun as a whole.
    let whole = Header {
        shard: None,
        ..header(0)
    };
    Ledger::create(&made.place().ledger(), &whole).unwrap();
    let (message, _) = made.refused();
    assert!(message.contains("not made in shards"), "{message}");
    let made = Made::new("x.parquet");
    fs::write(made.output(), "somebody's").unwrap();
    let (message, hint) = made.refused();
    assert!(
        message.contains("is not what these shards make"),
        "{message}"
    );
    assert!(hint.contains("--overwrite"), "{hint}");
    let plan = MergePlan {
        overwrite: true,
        ..made.plan()
    };
    merge(&plan, &mut go_on).unwrap();
    made.check_merged();
}

#[test]
fn the_status_of_shards_says_which_are_done() {
    let made = Made::new("x/");
    assert_eq!(
        status(&made.output()).unwrap().state,
        crate::sink::State::Unmerged
    );
    fs::remove_dir_all(made.shard_place(1).bookkeeping()).unwrap();
    let place = made.shard_place(2);
    let (owner, _) = Owner::take(&place.lock()).unwrap();
    let found = status(&made.output()).unwrap();
    use crate::sink::State::{BeingMade, Finished, Missing};
    let states: Vec<_> = found.shards.iter().map(|shard| shard.state).collect();
    assert_eq!(found.state, BeingMade);
    assert_eq!(states, [Finished, Missing, BeingMade]);
    assert_eq!((found.records, found.rows, found.rejected), (12, 9, 3));
    drop(owner);
    let of_shard = status(place.bookkeeping()).unwrap();
    assert_eq!((of_shard.state, of_shard.rows), (Finished, 3));
    assert!(verify(&made.output()).unwrap().flaws.is_empty());
    let part = place.parts().join("part-000000000000.parquet");
    fs::write(part, "other").unwrap();
    let verified = verify(&made.output()).unwrap();
    assert_eq!((verified.flaws.len(), verified.is_finished), (1, false));
}
