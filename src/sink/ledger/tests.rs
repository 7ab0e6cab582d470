//! What is read of a ledger, whatever befell it.

use super::*;
use std::{fs, path::PathBuf};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("x.parquet.parts/ledger.jsonl")
    }
}

fn header() -> Header {
    Header {
        ledger: VERSION,
        identity: [("runner.model".to_owned(), "m".to_owned())].into(),
        format: "parquet".to_owned(),
        settings: Default::default(),
    }
}

fn commit(from: u64, to: u64) -> Commit {
    Commit {
        from,
        to,
        rows: to - from,
        rejected: 0,
        truncated: 0,
        residues: 10,
        tokens: 12,
        before: "b".to_owned(),
        hash: "h".to_owned(),
        file: None,
        rejects: None,
        next: None,
        inputs: None,
        at: "2026-01-01T00:00:00Z".to_owned(),
        seconds: 0.125,
    }
}

#[test]
fn what_is_appended_is_read_back() {
    let place = Place::new();
    let path = place.path();
    assert_eq!(read(&path).unwrap(), None);
    assert!(Ledger::open(&path).unwrap().is_none());
    let mut ledger = Ledger::create(&path, &header()).unwrap();
    ledger.append(&Entry::Commit(commit(0, 5))).unwrap();
    drop(ledger);
    let (mut ledger, history) = Ledger::open(&path).unwrap().unwrap();
    assert_eq!(history.commits, [commit(0, 5)]);
    ledger.append(&Entry::Commit(commit(5, 9))).unwrap();
    let history = read(&path).unwrap().unwrap();
    assert_eq!(history.header, header());
    assert_eq!(history.commits, [commit(0, 5), commit(5, 9)]);
    assert_eq!(history.missing(), [(9, None)]);
    let text = fs::read_to_string(&path).unwrap();
    for line in text.lines() {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(line).unwrap();
        assert_eq!(object["sum"].as_str().unwrap().len(), 16);
    }
}
