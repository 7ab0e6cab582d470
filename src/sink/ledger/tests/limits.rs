//! Ledgers that are long, numbers that are none, and disks that are full.

use super::*;
use std::{env, process::Command, time::Instant};

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
