//! What is said of outputs in each state.

use super::{
    super::{
        ledger::{End, Entry, Header, Ledger, Owner, PartFile, VERSION},
        verify,
    },
    *,
};
use crate::hint::Hint;
use std::fs;

fn commit(from: u64, to: u64, part: PartFile) -> Entry {
    Entry::Commit(Commit {
        from,
        to,
        rows: to - from,
        rejected: 0,
        truncated: 0,
        residues: 0,
        tokens: 10 * (to - from),
        before: String::new(),
        hash: String::new(),
        first: None,
        file: Some(part),
        rejects: None,
        next: None,
        inputs: None,
        at: "2026-01-01T00:00:00Z".to_owned(),
        seconds: 2.0,
    })
}

/// Two parts of four rows each, and the end that `records` gives.
fn made(place: &Place, records: Option<u64>) {
    let header = Header {
        ledger: VERSION,
        identity: [("model".to_owned(), "m".to_owned())].into(),
        format: "parquet".to_owned(),
        settings: BTreeMap::new(),
        shard: None,
    };
    let mut ledger = Ledger::create(&place.ledger(), &header).unwrap();
    fs::create_dir_all(place.parts()).unwrap();
    for from in [0, 4] {
        let name = place.part_name(from);
        fs::write(place.parts().join(&name), "rows").unwrap();
        let blake3 = blake3::hash(b"rows").to_hex().to_string();
        let part = PartFile {
            name,
            bytes: 4,
            blake3,
        };
        ledger.append(&commit(from, from + 4, part)).unwrap();
    }
    if let Some(records) = records {
        let end = End {
            records,
            rows: records,
            rejected: 0,
            hash: String::new(),
            chains: Vec::new(),
            first: None,
            next: None,
            inputs: None,
            at: String::new(),
        };
        ledger.append(&Entry::End(end)).unwrap();
    }
}

fn place_of(folder: &Path, name: &str) -> Place {
    let path = format!("{}/{name}", folder.display());
    Place::of(&OutputTarget::of(Path::new(&path)).unwrap())
}

#[test]
fn an_output_in_the_making_is_found_by_each_of_its_names() {
    for (name, names) in [
        (
            "x.parquet",
            ["x.parquet", "x.parquet.parts", "x.parquet.parts/"],
        ),
        ("x/", ["x", "x/", "x.ledger"]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = place_of(folder.path(), name);
        made(&place, None);
        for name in names {
            let status = status(&folder.path().join(name)).unwrap();
            assert_eq!(status.state, State::Stopped, "{name}");
            assert_eq!((status.records, status.rows, status.rejected), (8, 8, 0));
            assert_eq!((status.parts, status.bytes), (2, 8));
            let rate = Rate {
                rows_per_sec: 2.0,
                tokens_per_sec: 20.0,
            };
            assert_eq!((status.rate, status.recent_rate), (Some(rate), Some(rate)));
            assert_eq!(status.seconds, Some(4.0));
            assert!(status.seconds_since_last_commit.unwrap() > 0);
            assert_eq!(status.identity["model"], "m");
        }
        let (owner, _) = Owner::take(&place.lock()).unwrap();
        let made = status(&folder.path().join(name)).unwrap();
        assert_eq!(made.state, State::BeingMade);
        assert_eq!(made.owner.unwrap().pid, std::process::id());
        drop(owner);
    }
}

#[test]
fn a_folder_is_finished_when_its_manifest_says_so_and_nothing_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let place = place_of(folder.path(), "x/");
    let state = || status(place.output()).unwrap().state;
    made(&place, Some(8));
    assert_eq!(state(), State::Stopped);
    fs::write(place.manifest(), "{}").unwrap();
    assert_eq!(state(), State::Finished);
    made(&place, Some(9));
    assert_eq!(state(), State::Stopped);
}

#[test]
fn what_is_damaged_or_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = place_of(folder.path(), "x/");
    made(&place, Some(8));
    let verified = verify(place.output()).unwrap();
    assert_eq!(
        (verified.files, verified.bytes, verified.flaws),
        (2, 8, vec![])
    );
    let check = |from: u64, expect: &str| {
        let path = place.parts().join(place.part_name(from));
        let flaws = verify(place.output()).unwrap().flaws;
        let [flaw] = &flaws[..] else {
            panic!("{flaws:?}");
        };
        assert_eq!((&flaw.path, flaw.problem.as_str()), (&path, expect));
        fs::write(path, "rows").unwrap();
    };
    let part = |from| place.parts().join(place.part_name(from));
    fs::write(part(0), "rowz").unwrap();
    check(0, "is damaged: its checksum is another one");
    fs::write(part(4), "row").unwrap();
    check(4, "is damaged: it has 3 bytes, and had 4");
    fs::remove_file(part(4)).unwrap();
    check(4, "is missing");
    made(&place, Some(10));
    let flaws = verify(place.output()).unwrap().flaws;
    assert_eq!(flaws[0].problem, "lacks the records 8 to 9, counted from 0");
}

#[test]
fn what_is_not_an_output_is_said_to_be_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("a.txt"), "text").unwrap();
    for (name, expect) in [
        ("none.parquet", "is not there"),
        ("folder", "is a folder without a ledger"),
        ("a.txt", "is a file of another program"),
    ] {
        let error = status(&folder.path().join(name)).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
        assert!(error.hint().is_some());
    }
}
