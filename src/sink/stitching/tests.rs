//! A file that grows is what is made of the parts at the end, or there is none.

use super::super::{
    HashedFile,
    ahead::Ahead,
    ledger::Header,
    parquet::{
        RowsOfFile,
        tests::{plan, stitch, version, write_parts},
    },
    shared_stitching::SharedStitching,
};
use super::*;
use std::{collections::BTreeMap, fs, os::unix::fs::FileExt as _};
use tempfile::TempDir;

const LAYERS: [usize; 1] = [6];

/// An output, its parts, and their commits.
struct Made {
    folder: TempDir,
    plan: OutputPlan,
    place: Place,
    parts: Vec<PathBuf>,
    commits: Vec<Commit>,
}

impl Made {
    /// Parts of so many rows.
    fn new(n_rows: &[u64]) -> Self {
        Self::of(OutputFormat::Parquet, "x.parquet", n_rows)
    }

    /// The same of an output of another format.
    fn of(format: OutputFormat, name: &str, n_rows: &[u64]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = plan(&folder.path().join(name), &LAYERS);
        plan.target.format = format;
        let place = Place::of(&plan.target);
        fs::create_dir(place.parts()).unwrap();
        let parts = write_parts(place.parts(), n_rows, &LAYERS);
        let mut from = 0;
        let commit = |(part, n_rows): (&PathBuf, &u64)| {
            from += n_rows;
            let name = part.file_name().unwrap().to_str().unwrap().to_owned();
            Commit {
                from: from - n_rows,
                to: from,
                rows: *n_rows,
                rejected: 0,
                truncated: 0,
                residues: 0,
                tokens: 0,
                before: String::new(),
                hash: String::new(),
                first: None,
                file: Some(PartFile {
                    name,
                    bytes: fs::metadata(part).unwrap().len(),
                    blake3: String::new(),
                }),
                rejects: None,
                next: None,
                inputs: None,
                at: String::new(),
                seconds: 0.0,
            }
        };
        let commits = parts.iter().zip(n_rows).map(commit).collect();
        Self {
            folder,
            plan,
            place,
            parts,
            commits,
        }
    }

    /// What goes on with the first commits.
    fn resumed(&self, n_commits: usize) -> Option<Stitching> {
        let mut history = History::begun(Header {
            ledger: 1,
            identity: BTreeMap::new(),
            format: "parquet".into(),
            settings: BTreeMap::new(),
            shard: None,
        });
        history.commits = self.commits[..n_commits].to_vec();
        Stitching::new(&self.plan, &self.place, &history)
    }

    /// The file as it is made at the end.
    fn at_the_end(&self) -> Vec<u8> {
        let path = self.folder.path().join("at_the_end");
        let to = HashedFile::new(File::create(&path).unwrap());
        stitch(&self.parts, to, &version()).unwrap();
        fs::read(path).unwrap()
    }

    /// Checks that there are the parts, and nothing else.
    fn check_clean(&self) {
        let names = self.place.parts().read_dir().unwrap();
        assert_eq!(names.count(), self.parts.len());
        assert!(!self.place.output().exists());
    }
}

fn caught_up(mut stitching: Stitching) -> Option<Stitching> {
    while stitching.is_behind() {
        stitching = stitching.advance()?;
    }
    Some(stitching)
}

/// One with two parts in its file, of three.
fn begun(made: &Made) -> Stitching {
    let begun = caught_up(made.resumed(2).unwrap()).expect("free space");
    assert_eq!(begun.n_parts(), 2);
    begun
}

#[test]
fn a_file_that_grew_is_the_one_that_is_made_at_the_end() {
    for n_resumed in 0..=5 {
        // The last one comes when there is no time for it any more.
        for n_in_time in [3, 4] {
            let mut made = Made::new(&[3, 1, 2, 4]);
            // Records of which none has a row.
            made.commits[3].from += 5;
            made.commits[3].to += 5;
            let rejected = Commit {
                from: 6,
                to: 11,
                file: None,
                ..made.commits[3].clone()
            };
            made.commits.insert(3, rejected);
            let mut stitching = made.resumed(n_resumed).unwrap();
            for (n, commit) in made.commits.iter().enumerate() {
                if n >= n_resumed {
                    stitching = stitching.with(commit).unwrap();
                }
                if n < n_in_time {
                    stitching = caught_up(stitching).unwrap();
                }
            }
            let bundle = stitching.finish(&made.parts, &version()).unwrap();
            bundle.publish().unwrap();
            // Not with `assert_eq`, which would show every byte.
            assert!(fs::read(made.place.output()).unwrap() == made.at_the_end());
        }
    }
}

#[test]
fn a_single_part_is_not_copied() {
    let made = Made::new(&[3]);
    let stitching = made.resumed(1).unwrap();
    assert!(!stitching.is_behind());
    assert!(stitching.finish(&made.parts, &version()).is_none());
    made.check_clean();
}

#[test]
fn parts_that_do_not_follow_each_other_are_put_together_at_the_end() {
    let mut made = Made::new(&[3, 2, 4]);
    // Made again, a hole.
    for n in [0, 1] {
        assert!(begun(&made).with(&made.commits[n]).is_none());
    }
    let mut later = made.commits[2].clone();
    later.from += 1;
    assert!(begun(&made).with(&later).is_none());
    made.check_clean();
    made.commits.remove(0);
    assert!(made.resumed(2).is_none());
    made.check_clean();
}

#[test]
fn what_goes_wrong_leaves_nothing() {
    let made = Made::new(&[3, 2, 4]);
    let behind = || begun(&made).with(&made.commits[2]).unwrap();
    // Other parts than those that are in it.
    assert!(behind().finish(&made.parts[..2], &version()).is_none());
    let swapped = [2, 1, 0].map(|n| made.parts[n].clone());
    assert!(behind().finish(&swapped, &version()).is_none());
    let bytes = fs::read(&made.parts[2]).unwrap();
    let mut flipped = bytes.clone();
    flipped[50] ^= 1;
    fs::write(&made.parts[2], flipped).unwrap();
    assert!(behind().advance().is_none());
    assert!(behind().finish(&made.parts, &version()).is_none());
    fs::write(&made.parts[2], bytes).unwrap();
    // A file that came into being.
    let bundle = behind().finish(&made.parts, &version()).unwrap();
    fs::write(made.place.output(), "").unwrap();
    assert!(bundle.publish().is_err());
    assert!(made.resumed(2).unwrap().advance().is_none());
    fs::remove_file(made.place.output()).unwrap();
    made.check_clean();
}

/// All bytes of a file that is complete.
fn bytes(bundle: &Bundle) -> Vec<u8> {
    let file = bundle.main().unwrap();
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

#[test]
fn rows_that_come_ahead_of_their_parts_make_the_same_file() {
    for (format, name) in [
        (OutputFormat::Npy, "x.npy"),
        (OutputFormat::Hdf5, "x.h5"),
        (OutputFormat::Safetensors, "x.safetensors"),
    ] {
        let made = Made::of(format, name, &[3, 2, 4]);
        let (target, options) = (made.place.target(), made.plan.export_options());
        let [first, others @ ..] = made.parts.as_slice() else {
            panic!("there are parts");
        };
        let folder = Some(made.place.bookkeeping());
        let mut making = Making::begin(target, folder, &options, first).unwrap();
        others.iter().for_each(|part| making.append(part).unwrap());
        let expected = bytes(&making.finish(&version()).unwrap());

        let shared = SharedStitching::new(made.resumed(0));
        let mut ahead = Ahead::start(&shared).unwrap().unwrap();
        let begin = |ahead: &mut Ahead, n: usize| {
            ahead.begin(made.commits[n].from);
            for rows in RowsOfFile::open(&made.parts[n]).unwrap() {
                ahead.take(rows.unwrap());
            }
            ahead.end(made.commits[n].to, true);
        };
        // One is committed before the next one begins, one when all have come.
        begin(&mut ahead, 0);
        shared.step(|stitching| stitching.with(&made.commits[0]));
        begin(&mut ahead, 1);
        begin(&mut ahead, 2);
        shared.step(|stitching| stitching.with(&made.commits[1]));
        assert!(!shared.is(Stitching::is_behind));
        shared.step(|stitching| stitching.with(&made.commits[2]));
        ahead.finish();
        let grown = shared.take().unwrap();
        let grown = grown.finish(&made.parts, &version()).unwrap();
        assert!(bytes(&grown) == expected, "{name}");
    }
}

#[test]
fn parts_that_are_others_than_the_rows_that_came_are_not_counted() {
    let made = Made::of(OutputFormat::Npy, "x.npy", &[3, 2]);
    let came = |n_part: usize| {
        let shared = SharedStitching::new(made.resumed(0));
        let mut ahead = Ahead::start(&shared).unwrap().unwrap();
        ahead.begin(made.commits[n_part].from);
        for rows in RowsOfFile::open(&made.parts[1]).unwrap() {
            ahead.take(rows.unwrap());
        }
        ahead.end(made.commits[0].to, true);
        shared.step(|stitching| stitching.with(&made.commits[0]));
        ahead.finish();
        let grown = shared.take();
        grown.and_then(|grown| grown.finish(&made.parts[..1], &version()))
    };
    assert!(came(0).is_none(), "it has fewer rows");
    assert!(came(1).is_none(), "it begins elsewhere");
    // Of what is there already, nothing can come ahead; nor of parts that are copied as they are.
    let other = Made::new(&[3]);
    for stitching in [made.resumed(1), other.resumed(0)] {
        let shared = SharedStitching::new(stitching);
        assert!(Ahead::start(&shared).unwrap().is_none());
    }
}
