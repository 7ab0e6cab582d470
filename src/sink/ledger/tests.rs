//! What is read of a ledger, whatever befell it.

mod made_up;

use super::{history::Reading, *};
use crate::{
    fasta::{Offset, Position},
    hint::Hint,
    sink::SinkError,
};
use made_up::{any_commit, any_entries, expected};
use proptest::prelude::*;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
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
        shard: None,
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
        first: None,
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

/// Texts with all that JSON has to escape.
const TEXT: &str = "[ -~\n\\\\\"é€😀\u{0}]{0,12}";

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
            chains: Vec::new(),
            first: None,
            next: None,
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
fn numbers_that_json_does_not_have_lose_no_line() {
    for seconds in [f64::NAN, f64::INFINITY, -0.000_01, 1e300, 0.123_456] {
        let commit = Commit {
            seconds,
            ..commit(0, 1)
        };
        let text = text(&[Entry::Header(header()), Entry::Commit(commit)]);
        let history = reading(&text).unwrap().history.unwrap();
        assert_eq!(history.records(), 1, "{seconds}");
    }
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
    assert_eq!(history.lost(Some(&beat.into())), done(2, 0.75));
    // Words that somebody was about to write into the ledger count if the stretch is not there.
    for (n_stretches, lost) in [(2, done(2, 0.75)), (1, done(0, 0.0))] {
        let words = LastWords {
            beat,
            n_stretches: Some(n_stretches),
        };
        assert_eq!(history.lost(Some(&words)), lost);
    }
    assert_eq!(history.lost(None), done(0, 0.0));
    assert_eq!(history.parts().count(), 1);
    assert_eq!(history.missing(), [(7, Some(10)), (20, None)]);
    let less = history.without(&[5]);
    assert_eq!(less.missing(), [(5, Some(10)), (20, None)]);
}

#[test]
fn a_long_ledger_is_short_and_read_fast() {
    let commit_of = |n: u64| {
        let part = |name: String| {
            Some(PartFile {
                name,
                bytes: 100_000_000,
                blake3: "f".repeat(64),
            })
        };
        Entry::Commit(Commit {
            before: "e".repeat(64),
            hash: "f".repeat(64),
            file: part(format!("part-{n:012}.parquet")),
            rejects: part(format!("part-{n:012}.rejects.tsv")),
            next: Some(Position {
                from: Offset::Bgzip {
                    block: u64::MAX,
                    text: u64::MAX,
                },
                ..Position::beginning_of(100)
            }),
            inputs: Some("a".repeat(64)),
            ..commit(n * 50_000, (n + 1) * 50_000)
        })
    };
    let mut entries = vec![Entry::Header(header())];
    entries.extend((0..200).map(commit_of));
    assert!(text(&entries).len() < 200_000, "{}", text(&entries).len());
    entries.extend((200..100_000).map(commit_of));
    let text = text(&entries);
    let start = Instant::now();
    let history = reading(&text).unwrap().history.unwrap();
    assert_eq!(history.commits.len(), 100_000);
    assert!(start.elapsed().as_secs_f64() < 2.0, "{:?}", start.elapsed());
}

/// Where the test below has its second half, as a process whose files cannot grow.
const SMALL: &str = "RUNNER_TEST_SMALL_LEDGER";

#[test]
fn what_does_not_fit_leaves_the_ledger_as_it_was() {
    let name = "what_does_not_fit_leaves_the_ledger_as_it_was";
    if let Some(path) = env::var_os(SMALL) {
        let path = Path::new(&path);
        let mut ledger = Ledger::create(path, &header()).unwrap();
        let mut history = read(path).unwrap();
        // Some fit, and then there is room for a part of a line.
        let error = (0..100)
            .find_map(|n| {
                let result = ledger.append(&Entry::Commit(commit(n, n + 1)));
                let n_bytes = fs::metadata(path).unwrap().len();
                assert_eq!(n_bytes, ledger_bytes(path), "no half line is left");
                if result.is_ok() {
                    history = read(path).unwrap();
                }
                result.err()
            })
            .unwrap();
        assert!(error.in_full().contains("ulimit -f"), "{error}");
        assert_eq!(read(path).unwrap(), history);
        assert!(ledger.append(&Entry::Commit(commit(200, 201))).is_err());
        return;
    }
    let place = Place::new();
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$1\" --exact";
    let test = format!("{}::{name}", module_path!().trim_start_matches("runner::"));
    let done = Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .arg(&test)
        .env(SMALL, place.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&done.stdout);
    assert!(stdout.contains("1 passed"), "{stdout}");
    // Without the limit it goes on.
    let (mut ledger, history) = Ledger::open(&place.path()).unwrap().unwrap();
    assert!(history.records() > 1);
    ledger.append(&Entry::Commit(commit(100, 200))).unwrap();
    let more = read(&place.path()).unwrap().unwrap();
    assert_eq!(more.records(), history.records() + 100);
    assert_eq!(more.damaged_lines, 0);
}

/// Bytes of the whole lines of a ledger.
fn ledger_bytes(path: &Path) -> u64 {
    reading(&fs::read(path).unwrap()).unwrap().n_bytes
}
