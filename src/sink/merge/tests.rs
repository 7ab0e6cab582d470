//! Merges that are ended at any step, and shards that cannot be merged.

mod made;
mod others;

use super::*;
use crate::hint::Hint;
use crate::{
    fasta::Position,
    job::Shard,
    sink::{
        State,
        ledger::{End, Entry, Header, Ledger, read},
        status, verify,
    },
};
use made::{Made, SHARDS, copy, go_on, header, snapshot};
use std::fs;

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
        assert!(hint.contains("shard-00002-of-00003`"), "{hint}");
    };
    check(
        &|header, _| {
            header.identity.insert("model".to_owned(), "n".to_owned());
        },
        &["shards 0/3 and 2/3 are of different outputs: model is m and n"],
    );
    check(
        &|header, _| header.shard.as_mut().unwrap().division = "e".to_owned(),
        &["shards 0/3 and 2/3 are of different inputs"],
    );
    // Where records are counted from the beginning of a file, none may be missing between two shards.
    let made = Made::new("x.parquet");
    let position = |n_records| Position::beginning_of(0).advanced(n_records);
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
    let error = made.merge().unwrap_err();
    let (message, hint) = (error.to_string(), error.hint().unwrap());
    assert!(
        message.contains("part-000000000000.parquet` was damaged, and is removed"),
        "{message}"
    );
    assert!(hint.contains("--shard 0/3"), "{hint}");
    assert!(!made.output().exists() && !part.exists());
    // From now on it is known to be missing.
    let (message, _) = made.refused();
    assert!(message.contains("shard 0/3 lost 1 file"), "{message}");
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
    assert_eq!(status(&made.output()).unwrap().state, State::Unmerged);
    fs::remove_dir_all(made.shard_place(1).bookkeeping()).unwrap();
    let place = made.shard_place(2);
    let (owner, _) = Owner::take(&place.lock()).unwrap();
    let found = status(&made.output()).unwrap();
    use State::{BeingMade, Finished, Missing};
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
