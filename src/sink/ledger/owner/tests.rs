//! Who gets an output, and who does not.

use super::*;
use crate::hint::Hint;
use std::{
    io,
    os::unix::fs::FileExt,
    process::{Child, Command},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

const BEAT: Beat = Beat {
    rows: 3,
    seconds: 0.5,
    tokens: 70,
};

/// A file system without locks, and somebody in a hurry.
const WITHOUT_LOCKS: Means = Means {
    lock: |_| Err(TryLockError::Error(io::ErrorKind::Unsupported.into())),
    before_taking: Duration::from_millis(400),
    to_settle: Duration::from_millis(100),
};

const WITH_LOCKS: Means = Means {
    lock: File::try_lock,
    ..WITHOUT_LOCKS
};

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("x.parquet.parts/lock");
    (folder, lock)
}

/// A lock as its owner leaves it when it dies, with something changed.
fn left(lock: &Path, changes: &[(&str, &str)]) -> Claim {
    let mut claim = Claim::new(None);
    claim.beat = BEAT;
    let mut text = serde_json::to_string(&claim).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replace(from, to);
    }
    let claim: Claim = serde_json::from_str(&text).unwrap();
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    claim.write(&File::create(lock).unwrap()).unwrap();
    claim
}

fn pid_changed(pid: u32) -> (String, String) {
    let field = |pid: u32| format!("\"pid\":{pid},");
    (field(std::process::id()), field(pid))
}

#[test]
fn one_process_has_it_and_leaves_nothing() {
    let (_folder, lock) = place();
    let (mut owner, left) = Owner::take(&lock).unwrap();
    assert_eq!(left, None);
    owner.beat(&BEAT).unwrap();
    let living = look(&lock).unwrap();
    assert_eq!((living.pid, living.beat), (std::process::id(), BEAT));
    assert_eq!(living.host, file::host_name());
    let error = Owner::take(&lock).unwrap_err();
    let shown = error.to_string();
    let expect = format!(
        "x.parquet` is being written by process {} on {} since 20",
        living.pid, living.host
    );
    assert!(shown.contains(&expect), "{shown}");
    let hint = format!("wait for it, or stop it with `kill {}`", living.pid);
    assert_eq!(error.hint(), Some(hint));
    // Whoever failed to get it took nothing away.
    assert!(look(&lock).is_some());
    drop(owner);
    assert!(!lock.exists());
    assert_eq!(look(&lock), None);
    assert_eq!(Owner::take(&lock).unwrap().1, None);
}

#[test]
fn the_lock_of_a_dead_process_is_taken_over_with_its_last_words() {
    for means in [WITH_LOCKS, WITHOUT_LOCKS] {
        let (_folder, lock) = place();
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let (from, to) = pid_changed(child.id());
        left(&lock, &[(&from, &to)]);
        assert_eq!(look(&lock), None);
        let (_owner, beat) = Owner::take_by(&means, &lock).unwrap();
        assert_eq!(beat, Some(BEAT.into()));
    }
}

#[test]
fn last_words_are_handed_on_until_the_ledger_has_them() {
    let (_folder, lock) = place();
    left(&lock, &[]);
    // Two processes end before they begin; of the second one something is known.
    for _ in 0..2 {
        let (mut owner, words) = Owner::take(&lock).unwrap();
        assert_eq!(words, Some(BEAT.into()));
        owner.beat(&Beat::default()).unwrap();
        // As if it were killed.
        let copy = fs::read(&lock).unwrap();
        drop(owner);
        fs::write(&lock, copy).unwrap();
    }
    let (mut owner, _) = Owner::take(&lock).unwrap();
    owner.announce(1);
    let announced = Claim::read(&owner.file).unwrap().last_words();
    assert_eq!((announced.beat, announced.n_stretches), (BEAT, Some(1)));
    owner.begin();
    let beat = Beat { rows: 9, ..BEAT };
    owner.note(&beat);
    let copy = fs::read(&lock).unwrap();
    drop(owner);
    fs::write(&lock, copy).unwrap();
    assert_eq!(Owner::take(&lock).unwrap().1, Some(beat.into()));
}

#[test]
fn an_owner_that_was_silent_for_long_looks_before_it_speaks() {
    let (_folder, lock) = place();
    let (mut owner, _) = Owner::take(&lock).unwrap();
    owner.said = Instant::now().checked_sub(SURELY_ALIVE).unwrap();
    owner.note(&BEAT);
    assert_eq!(look(&lock).unwrap().beat, Beat::default());
    owner.beat(&BEAT).unwrap();
    let beat = Beat { rows: 9, ..BEAT };
    owner.note(&beat);
    assert_eq!(look(&lock).unwrap().beat, beat);
}

#[test]
fn where_there_are_locks_a_number_that_is_used_again_deceives_nobody() {
    let (_folder, lock) = place();
    left(&lock, &[]);
    // This process lives, and it does not have the lock.
    assert_eq!(
        Owner::take_by(&WITH_LOCKS, &lock).unwrap().1,
        Some(BEAT.into())
    );
}

#[test]
fn where_there_are_no_locks_a_living_process_is_left_alone() {
    let (_folder, lock) = place();
    let (mut owner, _) = Owner::take_by(&WITHOUT_LOCKS, &lock).unwrap();
    let error = Owner::take_by(&WITHOUT_LOCKS, &lock).unwrap_err();
    assert!(error.to_string().contains("is being written by process"));
    owner.beat(&BEAT).unwrap();
    drop(owner);
    assert!(!lock.exists());
}

#[test]
fn an_owner_elsewhere_is_watched() {
    for means in [WITH_LOCKS, WITHOUT_LOCKS] {
        let elsewhere = [("\"boot\":\"", "\"boot\":\"another ")];
        let (_folder, lock) = place();
        left(&lock, &elsewhere);
        let start = Instant::now();
        assert_eq!(Owner::take_by(&means, &lock).unwrap().1, Some(BEAT.into()));
        assert!(start.elapsed() >= means.before_taking);

        let mut claim = left(&lock, &elsewhere);
        let moved = thread::spawn({
            let lock = lock.clone();
            move || {
                thread::sleep(Duration::from_millis(100));
                claim.n_beats += 1;
                claim.write(&File::options().write(true).open(lock).unwrap())
            }
        });
        let error = Owner::take_by(&means, &lock).unwrap_err();
        assert!(error.to_string().contains("is being written by process"));
        moved.join().unwrap().unwrap();
        assert_eq!(look_for(&lock, Duration::from_millis(1)), None);
    }
}

#[test]
fn whoever_was_taken_for_dead_hears_of_it() {
    let (_folder, lock) = place();
    let (mut owner, _) = Owner::take(&lock).unwrap();
    let file = File::options().write(true).open(&lock).unwrap();
    Claim::new(None).write(&file).unwrap();
    let error = owner.beat(&BEAT).unwrap_err().to_string();
    assert!(
        error.contains("x.parquet` has been taken over by process"),
        "{error}"
    );
    drop(owner);
    assert!(lock.exists(), "it is another one's");
}

#[test]
fn a_lock_that_says_nothing_is_nobodys() {
    let (_folder, lock) = place();
    for text in ["", "{\"owner\":", "\0\0\0"] {
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        fs::write(&lock, text).unwrap();
        assert_eq!(look(&lock), None);
        assert_eq!(Owner::take(&lock).unwrap().1, None);
    }
}

#[test]
fn readers_never_see_half_a_claim() {
    let (_folder, lock) = place();
    let (mut owner, _) = Owner::take(&lock).unwrap();
    let n_reads = AtomicU64::new(0);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for rows in 0..3000 {
                let rows = if rows % 2 == 0 { rows } else { u64::MAX - rows };
                owner.beat(&Beat { rows, ..BEAT }).unwrap();
            }
        });
        while !writer.is_finished() {
            assert!(read(&lock).is_some());
            n_reads.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert!(n_reads.into_inner() > 0);
}

#[test]
fn of_many_at_the_same_moment_one_gets_it() {
    for means in [&WITH_LOCKS, &WITHOUT_LOCKS] {
        let (_folder, lock) = place();
        let takers = 8;
        let barrier = std::sync::Barrier::new(takers);
        let taken: Vec<_> = thread::scope(|scope| {
            let takers: Vec<_> = (0..takers)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        Owner::take_by(means, &lock).ok()
                    })
                })
                .collect();
            takers
                .into_iter()
                .map(|taker| taker.join().unwrap())
                .collect()
        });
        assert_eq!(taken.iter().flatten().count(), 1);
    }
}

#[test]
fn while_it_changes_hands_nobody_shares_it() {
    let (_folder, lock) = place();
    let n_owners = AtomicU32::new(0);
    let n_taken = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let Ok((owner, left)) = Owner::take(&lock) else {
                        continue;
                    };
                    assert_eq!(n_owners.fetch_add(1, Ordering::SeqCst), 0, "two owners");
                    assert_eq!(left, None, "all of them end well");
                    n_taken.fetch_add(1, Ordering::SeqCst);
                    n_owners.fetch_sub(1, Ordering::SeqCst);
                    drop(owner);
                }
            });
        }
    });
    assert!(n_taken.into_inner() > 0);
    assert!(!lock.exists());
}

/// What holds a lock until it is killed.
fn holder(lock: &Path) -> Child {
    let script = "exec 9<>\"$0\" && flock -n 9 && echo locked >\"$0.said\" && exec sleep 60";
    let child = Command::new("sh").args(["-c", script]).arg(lock).spawn();
    let child = child.unwrap();
    let said = lock.with_file_name("lock.said");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !said.exists() {
        assert!(Instant::now() < deadline, "nobody locks");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

#[test]
fn another_process_has_it_until_it_is_killed() {
    let (_folder, lock) = place();
    left(&lock, &[]);
    let mut child = holder(&lock);
    let error = Owner::take(&lock).unwrap_err();
    assert!(matches!(
        error,
        SinkError::Ledger(LedgerError::Owned {
            living: Some(_),
            ..
        })
    ));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(Owner::take(&lock).unwrap().1, Some(BEAT.into()));
}

#[test]
fn a_claim_has_room_for_the_longest_words() {
    let (_folder, lock) = place();
    let host = format!("\"host\":\"{}\"", "h".repeat(64));
    let boot = format!("\"boot\":\"{}\"", "b".repeat(64));
    let beat = Beat {
        rows: u64::MAX,
        seconds: -f64::MIN_POSITIVE,
        tokens: u64::MAX,
    };
    let mut claim = left(&lock, &[]);
    let text = serde_json::to_string(&claim).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let old = |key: &str| format!("\"{key}\":{}", value["process"][key]);
    claim = left(&lock, &[(&old("host"), &host), (&old("boot"), &boot)]);
    claim.n_beats = u64::MAX;
    claim.beat = beat;
    claim.left = Some(LastWords {
        beat,
        n_stretches: Some(usize::MAX),
    });
    let file = File::options().read(true).write(true).open(&lock).unwrap();
    claim.write(&file).unwrap();
    assert_eq!(Claim::read(&file), Some(claim));
    // It is shorter or longer than another one by nothing.
    let mut byte = [0];
    let end = super::super::claim::CLAIM_BYTES as u64;
    assert_eq!(file.read_at(&mut byte, end).unwrap(), 0);
}
