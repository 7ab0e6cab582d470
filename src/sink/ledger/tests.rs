//! What is read of a ledger, whatever befell it.

mod limits;

use super::{history::Reading, *};
use crate::{
    fasta::{Offset, Position},
    hint::Hint,
    sink::SinkError,
};
use proptest::prelude::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

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

fn text(entries: &[Entry]) -> Vec<u8> {
    let lines = entries.iter().map(|entry| line::write(entry) + "\n");
    lines.collect::<String>().into_bytes()
}

fn reading(text: &[u8]) -> Result<Reading, LedgerError> {
    Reading::of(text, Path::new("x.ledger/ledger.jsonl"))
}

/// The history of entries, by the plainest means.
fn expected(entries: &[Entry]) -> Option<History> {
    let mut history: Option<History> = None;
    for entry in entries {
        match (entry, &mut history) {
            (Entry::Header(header), None) => {
                history = Some(History {
                    header: header.clone(),
                    stretches: Vec::new(),
                    commits: Vec::new(),
                    end: None,
                    done: Vec::new(),
                    damaged_lines: 0,
                });
            }
            (Entry::Stretch(stretch), Some(history)) => {
                history.stretches.push(stretch.clone());
                history.done.push(Done::default());
            }
            (Entry::Commit(commit), Some(history)) => {
                if let Some(done) = history.done.last_mut() {
                    done.rows += commit.rows;
                    done.seconds += commit.seconds;
                }
                history
                    .commits
                    .retain(|old| old.to <= commit.from || commit.to <= old.from);
                history.commits.push(commit.clone());
                history.commits.sort_by_key(|commit| commit.from);
                if history
                    .end
                    .as_ref()
                    .is_some_and(|end| end.records < commit.to)
                {
                    history.end = None;
                }
            }
            (Entry::End(end), Some(history)) => history.end = Some(end.clone()),
            _ => unreachable!("a header is first, and there is one"),
        }
    }
    history
}

/// Texts with all that JSON has to escape.
const TEXT: &str = "[ -~\n\\\\\"é€😀\u{0}]{0,12}";

fn map() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    proptest::collection::btree_map(TEXT, TEXT, 0..3)
}

fn seconds() -> impl Strategy<Value = f64> {
    (0_u32..100_000_000).prop_map(|milliseconds| f64::from(milliseconds) / 1000.0)
}

fn part() -> impl Strategy<Value = Option<PartFile>> {
    let part = (TEXT, any::<u64>(), TEXT).prop_map(|(name, bytes, blake3)| PartFile {
        name,
        bytes,
        blake3,
    });
    proptest::option::of(part)
}

fn position() -> impl Strategy<Value = Option<Position>> {
    let from = prop_oneof![
        Just(Offset::Beginning),
        any::<u64>().prop_map(|byte| Offset::Plain { byte }),
        any::<(u64, u64)>().prop_map(|(block, text)| Offset::Bgzip { block, text }),
    ];
    let position = (from, any::<u64>()).prop_map(|(from, n_records)| Position {
        from,
        n_records,
        ..Position::beginning_of(3)
    });
    proptest::option::of(position)
}

fn any_commit() -> impl Strategy<Value = Commit> {
    let numbers = (0_u64..60, 1_u64..20, any::<[u32; 3]>(), seconds());
    let texts = (TEXT, TEXT, proptest::option::of(TEXT));
    (numbers, texts, part(), part(), position()).prop_map(
        |((from, n_records, [rows, residues, tokens], seconds), texts, file, rejects, next)| {
            let (before, hash, inputs) = texts;
            Commit {
                rows: rows.into(),
                residues: residues.into(),
                tokens: tokens.into(),
                before,
                hash,
                file,
                rejects,
                next,
                inputs,
                seconds,
                ..commit(from, from + n_records)
            }
        },
    )
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let stretch = (TEXT, any::<u32>(), map(), any::<u64>(), seconds()).prop_map(
        |(device, pid, settings, lost_rows, lost_seconds)| Stretch {
            at: "2026-01-01T00:00:00Z".to_owned(),
            host: "host".to_owned(),
            pid,
            device,
            settings,
            lost_rows,
            lost_seconds,
        },
    );
    let end = (0_u64..90, TEXT).prop_map(|(records, hash)| End {
        records,
        rows: records,
        rejected: 0,
        hash,
        inputs: None,
        at: "2026-01-01T00:00:00Z".to_owned(),
    });
    prop_oneof![
        1 => stretch.prop_map(Entry::Stretch),
        6 => any_commit().prop_map(Entry::Commit),
        1 => end.prop_map(Entry::End),
    ]
}

fn any_entries() -> impl Strategy<Value = Vec<Entry>> {
    let header = (map(), map()).prop_map(|(identity, settings)| {
        Entry::Header(Header {
            identity,
            settings,
            ..header()
        })
    });
    let rest = proptest::collection::vec(any_entry(), 0..10);
    (header, rest).prop_map(|(header, rest)| std::iter::once(header).chain(rest).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn of_a_text_that_is_cut_anywhere_the_whole_lines_are_read(entries in any_entries()) {
        let text = text(&entries);
        for end in 0..=text.len() {
            let n_whole = text[..end].iter().filter(|byte| **byte == b'\n').count();
            let read = reading(&text[..end]).unwrap();
            prop_assert_eq!(read.history, expected(&entries[..n_whole]), "cut at {}", end);
        }
    }

    #[test]
    fn a_byte_that_changes_takes_lines_away_and_makes_none(
        entries in any_entries(),
        change in 1_u8..=255,
    ) {
        let good = text(&entries);
        let mut text = good.clone();
        for place in 0..text.len() {
            text[place] ^= change;
            let n_line = good[..place].iter().filter(|byte| **byte == b'\n').count();
            // Two lines without a line feed between them are one, and it is damaged.
            let n_lost = if good[place] == b'\n' { 2 } else { 1 };
            let rest: Vec<_> = entries
                .iter()
                .enumerate()
                .filter(|(n, _)| !(n_line..n_line + n_lost).contains(n))
                .map(|(_, entry)| entry.clone())
                .collect();
            let has_header = matches!(rest.first(), Some(Entry::Header(_)));
            let n_commits = rest.iter().filter(|entry| matches!(entry, Entry::Commit(_))).count();
            match reading(&text) {
                Ok(Reading { history: Some(mut history), n_bytes }) => {
                    let was_torn = n_bytes < good.len() as u64;
                    prop_assert!(history.damaged_lines > 0 || was_torn);
                    history.damaged_lines = 0;
                    prop_assert_eq!(Some(history), expected(&rest));
                }
                Ok(Reading { history: None, .. }) => prop_assert!(!has_header && n_commits == 0),
                Err(LedgerError::Headless { .. }) => prop_assert!(!has_header && n_commits > 0),
                Err(error) => prop_assert!(false, "{}", error),
            }
            text[place] ^= change;
        }
    }

    #[test]
    fn commits_that_are_live_never_overlap_and_the_later_one_wins(
        commits in proptest::collection::vec(any_commit(), 0..40),
        n_records in proptest::option::of(0_u64..100),
    ) {
        let mut entries = vec![Entry::Header(header())];
        entries.extend(commits.iter().cloned().map(Entry::Commit));
        let end = n_records.map(|records| End {
            records,
            rows: 0,
            rejected: 0,
            hash: String::new(),
            inputs: None,
            at: String::new(),
        });
        entries.extend(end.map(Entry::End));
        let history = reading(&text(&entries)).unwrap().history.unwrap();
        prop_assert_eq!(Some(history.clone()), expected(&entries));
        for pair in history.commits.windows(2) {
            prop_assert!(pair[0].to <= pair[1].from);
        }
        prop_assert_eq!(commits.last().is_some(), !history.commits.is_empty());
        prop_assert!(commits.last().is_none_or(|last| history.commits.contains(last)));
        // Each record is in a commit or missing.
        let missing = history.missing();
        let has = |record: u64| history.commits.iter().any(|c| c.overlaps(record, record + 1));
        for record in 0..n_records.unwrap_or(100) {
            let is_missing = missing
                .iter()
                .any(|(from, to)| *from <= record && to.is_none_or(|to| record < to));
            prop_assert_ne!(has(record), is_missing, "record {}", record);
        }
        prop_assert_eq!(missing.last().is_some_and(|(_, to)| to.is_none()), n_records.is_none());
        let from: Vec<_> = history.commits.iter().map(|commit| commit.from).collect();
        let nothing = history.without(&from);
        prop_assert_eq!(nothing.records(), 0);
        prop_assert_eq!(nothing.is_complete(), n_records == Some(0));
    }
}

#[test]
fn what_is_cut_anywhere_can_be_gone_on_with() {
    let entries = [
        Entry::Header(header()),
        Entry::Commit(commit(0, 5)),
        Entry::Commit(commit(5, 9)),
    ];
    let text = text(&entries);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    for end in 0..=text.len() {
        fs::write(&path, &text[..end]).unwrap();
        let n_whole = text[..end].iter().filter(|byte| **byte == b'\n').count();
        // Onlookers change nothing.
        assert_eq!(read(&path).unwrap(), expected(&entries[..n_whole]));
        assert_eq!(fs::read(&path).unwrap().len(), end);
        let mut expect = entries[..n_whole.max(1)].to_vec();
        let mut ledger = match Ledger::open(&path).unwrap() {
            Some((ledger, history)) => {
                assert_eq!(Some(history), expected(&entries[..n_whole]));
                ledger
            }
            None => {
                assert_eq!(n_whole, 0);
                Ledger::create(&path, &header()).unwrap()
            }
        };
        let next = Entry::Commit(commit(20, 30));
        ledger.append(&next).unwrap();
        expect.push(next);
        assert_eq!(read(&path).unwrap(), expected(&expect), "cut at {end}");
    }
}

#[test]
fn a_header_that_is_missed_is_no_reason_to_guess() {
    let place = Place::new();
    let path = place.path();
    drop(Ledger::create(&path, &header()).unwrap());
    let whole = fs::read(&path).unwrap();
    let write = |text: &[u8]| fs::write(&path, text).unwrap();
    // Never begun, torn, damaged.
    for text in [&b""[..], &whole[..9], b"\n", b"{}\n", b"\0\0\0"] {
        write(text);
        assert_eq!(read(&path).unwrap(), None);
        assert!(Ledger::open(&path).unwrap().is_none());
    }
    write(&text(&[Entry::Commit(commit(0, 5))]));
    let error = Ledger::open(&path).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    assert!(error.in_full().contains("`overwrite: true`"), "{error}");
    let newer = Header {
        ledger: VERSION + 1,
        ..header()
    };
    write(&text(&[Entry::Header(newer)]));
    let error = read(&path).unwrap_err();
    assert!(error.to_string().contains("by a newer version"), "{error}");
    // Also if nothing else of it can be read.
    #[derive(serde::Serialize)]
    struct Newer {
        header: std::collections::BTreeMap<&'static str, u32>,
    }
    let newer = Newer {
        header: [("ledger", 7), ("x", 1)].into(),
    };
    write((line::write(&newer) + "\n").as_bytes());
    assert!(matches!(
        read(&path),
        Err(SinkError::Ledger(LedgerError::Newer { version: 7, .. }))
    ));
}

#[test]
fn sums_are_of_what_is_there() {
    let lost = Stretch {
        at: String::new(),
        host: String::new(),
        pid: 1,
        device: String::new(),
        settings: Default::default(),
        lost_rows: 3,
        lost_seconds: 1.5,
    };
    let entries = [
        Entry::Header(header()),
        Entry::Stretch(lost.clone()),
        Entry::Commit(commit(0, 5)),
        Entry::Stretch(lost),
        Entry::Commit(commit(5, 7)),
        Entry::Commit(Commit {
            rejected: 4,
            rows: 6,
            file: Some(PartFile {
                name: "part".to_owned(),
                bytes: 3,
                blake3: String::new(),
            }),
            ..commit(10, 20)
        }),
    ];
    let history = reading(&text(&entries)).unwrap().history.unwrap();
    assert_eq!(
        (history.records(), history.rows(), history.rejected()),
        (17, 13, 4)
    );
    assert_eq!((history.tokens(), history.seconds()), (36, 0.375));
    assert_eq!((history.lost_rows(), history.lost_seconds()), (6, 3.0));
    let done = |rows, seconds| Done { rows, seconds };
    assert_eq!(history.done().last(), Some(&done(8, 0.25)));
    assert_eq!(history.done().len(), history.stretches.len());
    let beat = Beat {
        rows: 10,
        seconds: 1.0,
        tokens: 100,
    };
    assert_eq!(history.lost(Some(&beat)), done(2, 0.75));
    assert_eq!(history.lost(None), done(0, 0.0));
    assert_eq!(history.parts().count(), 1);
    assert_eq!(history.missing(), [(7, Some(10)), (20, None)]);
    let less = history.without(&[5]);
    assert_eq!(less.missing(), [(5, Some(10)), (20, None)]);
}
