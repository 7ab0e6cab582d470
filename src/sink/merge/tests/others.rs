//! Files of others beside what is merged, and outputs of which something is missing.

use super::{
    super::*,
    made::{Made, go_on, snapshot},
};
use crate::{
    hint::Hint,
    sink::{State, ledger::Entry, left::files_in, status, verifier::Verifier, verify},
};
use std::{fs, os::unix::fs::symlink, path::Path};

#[test]
fn files_of_others_in_the_folder_of_an_output_stay() {
    let made = Made::new("x/");
    fs::create_dir(made.output()).unwrap();
    let name = "part-000000000004.parquet";
    let part = made.output().join(name);
    for (other, n) in [
        (name, 0),
        ("notes.txt", 0),
        ("part-000000000001.parquet", 1),
    ] {
        let other = made.output().join(other);
        match n {
            0 => fs::write(&other, "somebody's").unwrap(),
            // A copy of a part is none of them under another name.
            _ => {
                let of_shard = made.shard_place(0).parts().join(name);
                fs::copy(of_shard, &other).unwrap();
            }
        }
        for overwrite in [false, true] {
            let plan = MergePlan {
                overwrite,
                ..made.plan()
            };
            let before = snapshot(made.folder.path());
            let error = merge(&plan, &mut go_on).unwrap_err();
            let message = error.to_string();
            let expected = format!("`{}` is in the way", other.display());
            assert!(message.contains(&expected), "{message}");
            assert_eq!(snapshot(made.folder.path()), before);
        }
        fs::remove_file(other).unwrap();
    }
    // What has the contents of the part is as good as it.
    fs::copy(made.shard_place(0).parts().join(name), part).unwrap();
    made.merge().unwrap();
    made.check_merged();
}

#[test]
fn what_lies_beside_a_file_is_seen_before_it_is_made() {
    for name in ["x.parquet", "x.npy"] {
        let made = Made::new(name);
        let plan = MergePlan {
            file: (name == "x.parquet").then(|| made.path("x.npy")),
            ..made.plan()
        };
        for beside in ["x.ids.txt", "x.npy.json"] {
            fs::write(made.path(beside), "mine\n").unwrap();
            let before = snapshot(made.folder.path());
            let mut n_steps = 0;
            let mut count = |_| {
                n_steps += 1;
                ControlFlow::Continue(())
            };
            let error = merge(&plan, &mut count).unwrap_err().to_string();
            assert!(
                error.contains(beside) && error.contains("exists"),
                "{error}"
            );
            assert_eq!((n_steps, snapshot(made.folder.path())), (0, before));
            fs::remove_file(made.path(beside)).unwrap();
        }
        assert_eq!(merge(&plan, &mut go_on).unwrap().rows, 9);
        let ids = fs::read_to_string(made.path("x.ids.txt")).unwrap();
        assert_eq!(ids.lines().count(), 9);
        let verified = verify(&made.path("x.npy")).unwrap();
        assert_eq!((verified.flaws, verified.is_finished), (vec![], true));
    }
}

#[test]
fn shards_become_files_of_other_formats() {
    for name in ["y.h5", "y.arrow", "y.safetensors"] {
        let made = Made::new("x/");
        let plan = MergePlan {
            file: Some(made.path(name)),
            ..made.plan()
        };
        let merged = merge(&plan, &mut go_on).unwrap();
        assert_eq!((merged.rows, merged.rejected), (9, 3), "{name}");
        let verified = verify(&made.path(name)).unwrap();
        assert_eq!((verified.flaws, verified.is_finished), (vec![], true));
    }
}

#[test]
fn a_damaged_file_is_merged_again_if_its_shards_are_there() {
    for name in ["x.parquet", "x/"] {
        let made = Made::new(name);
        let (target, file) = match name {
            "x/" => (made.path("y.parquet"), Some(made.path("y.parquet"))),
            name => (made.path(name), None),
        };
        let plan = |overwrite| MergePlan {
            file: file.clone(),
            overwrite,
            ..made.plan()
        };
        // The shards are still there, as of a process that was killed.
        let mut on_step = |step| match step {
            MergeStep::Published if file.is_none() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let _ = merge(&plan(false), &mut on_step);
        let whole = fs::read(&target).unwrap();
        let mut bytes = whole.clone();
        bytes[40] ^= 1;
        fs::write(&target, &bytes).unwrap();
        let error = merge(&plan(false), &mut go_on).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
        assert!(error.hint().unwrap().contains("overwrite: true"));
        assert!(fs::read(&target).unwrap() == bytes);
        assert!(!merge(&plan(true), &mut go_on).unwrap().is_old);
        assert!(fs::read(&target).unwrap() == whole);
        // Without shards there is nothing to make it of.
        if file.is_none() {
            made.check_merged();
            fs::write(&target, &bytes).unwrap();
            let error = merge(&plan(true), &mut go_on).unwrap_err();
            assert!(error.to_string().contains("is damaged"), "{error}");
        }
    }
}

#[test]
fn shards_without_rows_have_one_empty_part_together() {
    for name in ["x.parquet", "x/"] {
        for rejected in [[0, 0, 0], [0, 1, 0], [2, 0, 1]] {
            let made = Made::new(name);
            for (index, n) in (0..).zip(rejected) {
                let place = made.shard_place(index);
                fs::remove_dir_all(place.bookkeeping()).unwrap();
                made.shard(index, &[(0..0, n)]);
            }
            let merged = made.merge().unwrap();
            let n_rejected = rejected.iter().sum();
            assert_eq!((merged.rows, merged.rejected), (0, n_rejected));
            let verified = verify(&made.output()).unwrap();
            assert_eq!((verified.flaws, verified.is_finished), (vec![], true));
            let status = status(&made.output()).unwrap();
            assert_eq!(status.state, State::Finished);
            assert_eq!((status.rejected, status.parts), (n_rejected, 1));
            if name == "x/" {
                let part = made.output().join("part-000000000000.parquet");
                assert_eq!(files_in(&made.place()).unwrap(), [part]);
                let into = MergePlan {
                    file: Some(made.path("y.parquet")),
                    ..made.plan()
                };
                assert_eq!(merge(&into, &mut go_on).unwrap().rows, 0);
            }
        }
    }
}

#[test]
fn a_merged_folder_that_is_not_whole_is_not_called_merged() {
    let made = Made::new("x/");
    made.merge().unwrap();
    let part = made.output().join("part-000000000004.parquet");
    let bytes = fs::read(&part).unwrap();
    let into = MergePlan {
        file: Some(made.path("y.parquet")),
        ..made.plan()
    };
    for change in [&bytes[..9], &[]] {
        match change {
            [] => fs::remove_file(&part).unwrap(),
            change => fs::write(&part, change).unwrap(),
        }
        for plan in [made.plan(), into.clone()] {
            let error = merge(&plan, &mut go_on).unwrap_err();
            let message = error.to_string();
            let expected = format!("`{}` is missing or cut", part.display());
            assert!(message.contains(&expected), "{message}");
            assert!(error.hint().unwrap().contains("as a whole"));
        }
    }
    // As long as the shards are there, they have what is missing.
    let made = Made::new("x/");
    let mut on_step = |step| match step {
        MergeStep::Published => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    merge(&made.plan(), &mut on_step).unwrap_err();
    fs::remove_file(made.output().join("part-000000000004.parquet")).unwrap();
    made.merge().unwrap();
    made.check_merged();
}

#[test]
fn a_shard_whose_folder_cannot_be_read_keeps_its_ledger() {
    let made = Made::new("x.parquet");
    let place = made.shard_place(0);
    // What is no folder cannot be listed, whoever asks.
    let in_the_way = Made::new("x/");
    let odd = in_the_way.place();
    fs::write(in_the_way.path("x"), "no folder").unwrap();
    fs::copy(place.ledger(), odd.ledger()).unwrap();
    assert!(odd.discard(None).is_err());
    assert!(odd.ledger().exists());
}

#[test]
fn what_a_killed_merge_into_a_file_left_goes() {
    let made = Made::new("x/");
    let into = MergePlan {
        file: Some(made.path("y.parquet")),
        ..made.plan()
    };
    merge(&into, &mut go_on).unwrap();
    let kept = made.path("y.parquet.parts");
    fs::create_dir(&kept).unwrap();
    for name in ["lock", ".runner-old.partial"] {
        fs::write(kept.join(name), "").unwrap();
    }
    assert!(merge(&into, &mut go_on).unwrap().is_old);
    assert!(!kept.exists());
}

#[test]
fn a_list_of_rejections_of_others_is_replaced_only_if_it_may_be() {
    for name in ["x.parquet", "x/"] {
        for n_rejected in [0, 1] {
            let made = Made::new(name);
            for index in 0..3 {
                fs::remove_dir_all(made.shard_place(index).bookkeeping()).unwrap();
                made.shard(index, &[(0..2, n_rejected)]);
            }
            let list = made.place().rejects();
            fs::write(&list, "somebody's").unwrap();
            let (message, hint) = made.refused();
            assert!(
                message.contains("x.parquet.rejects.tsv") || name == "x/",
                "{message}"
            );
            assert!(hint.contains("--overwrite"), "{hint}");
            let plan = MergePlan {
                overwrite: true,
                ..made.plan()
            };
            merge(&plan, &mut go_on).unwrap();
            let text = fs::read_to_string(list).unwrap_or_default();
            assert_eq!(text.lines().count() as u64, n_rejected * 4);
        }
    }
}

#[test]
fn no_link_leads_into_another_output() {
    let made = Made::new("x/");
    merge(&made.plan(), &mut go_on).unwrap();
    let shards = Made::new("f.parquet");
    let place = shards.shard_place(0);
    symlink(
        made.output().join("part-000000000000.parquet"),
        made.path("of_folder.parquet"),
    )
    .unwrap();
    symlink(
        place.parts().join("part-000000000000.parquet"),
        made.path("of_shard.parquet"),
    )
    .unwrap();
    let paths = [
        made.path("of_folder.parquet"),
        made.path("of_shard.parquet"),
        made.path("x.ledger/z.parquet"),
        place.parts().join("z.parquet"),
        shards.place().bookkeeping().join("z.parquet"),
    ];
    for path in paths {
        let plan = MergePlan {
            file: Some(path),
            overwrite: true,
            ..made.plan()
        };
        let before = (snapshot(made.folder.path()), snapshot(shards.folder.path()));
        let error = merge(&plan, &mut go_on).unwrap_err();
        assert!(matches!(error, SinkError::Inside { .. }), "{error}");
        let after = (snapshot(made.folder.path()), snapshot(shards.folder.path()));
        assert!(before == after);
    }
}

/// A file that is there, and cannot be read by anybody.
fn make_unreadable(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink("/proc/self/mem", path).unwrap();
}

/// Has the ledger say that the lists of rejections of a shard were empty, as files that cannot be read are.
fn say_that_lists_are_empty(place: &Place) {
    let mut history = ledger::read(&place.ledger()).unwrap().unwrap();
    let lists = history.commits.iter_mut();
    lists
        .filter_map(|commit| commit.rejects.as_mut())
        .for_each(|list| list.bytes = 0);
    let mut entries = vec![Entry::Header(history.header)];
    entries.extend(history.commits.into_iter().map(Entry::Commit));
    entries.extend(history.end.map(Entry::End));
    ledger::write(&place.ledger(), &entries).unwrap();
}

#[test]
fn what_cannot_be_read_is_named_and_stays() {
    for name in ["x.parquet", "x/"] {
        for (index, file) in [
            (0, "part-000000000004.rejects.tsv"),
            (0, "part-000000000000.parquet"),
            (2, "part-000000000003.parquet"),
        ] {
            let made = Made::new(name);
            let place = made.shard_place(index);
            let path = place.bookkeeping().join(file);
            if file.ends_with("tsv") {
                say_that_lists_are_empty(&place);
                make_unreadable(&path);
            } else {
                fs::remove_file(&path).unwrap();
                symlink(file, &path).unwrap();
            }
            let error = made.merge().unwrap_err().to_string();
            let expected = format!("cannot read `{}`: ", path.display());
            assert!(error.starts_with(&expected), "{error}");
            assert!(path.is_symlink(), "{}", path.display());
            // Nor does the shard itself take it for damaged.
            let history = ledger::read(&place.ledger()).unwrap().unwrap();
            let verifier = Verifier::start(&history, &place);
            let error = verifier.damaged(&|| false).unwrap_err().to_string();
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}

#[test]
fn shards_that_nobody_can_look_at_are_not_missing() {
    let made = Made::new("x/");
    let ledger = made.shard_place(1).ledger();
    fs::remove_file(&ledger).unwrap();
    symlink("ledger.jsonl", &ledger).unwrap();
    let found = status(&made.output()).unwrap();
    assert_eq!(found.state, State::Stopped);
    let shard = &found.shards[1];
    assert_eq!(shard.state, State::Unreadable);
    let expected = format!("cannot read `{}`: ", ledger.display());
    let problem = shard.problem.as_deref().unwrap();
    assert!(problem.starts_with(&expected), "{problem}");
    let flaws = verify(&made.output()).unwrap().flaws;
    assert_eq!((flaws.len(), flaws[0].is_removable), (1, false));
    assert!(flaws[0].problem.contains(&expected), "{flaws:?}");
    // All of them.
    let folder = made.place().bookkeeping().to_owned();
    fs::remove_dir_all(&folder).unwrap();
    symlink("x.ledger", &folder).unwrap();
    let expected = format!("cannot read the folder `{}`: ", folder.display());
    for error in [
        made.merge().unwrap_err(),
        shards::check_none(&made.place()).unwrap_err(),
    ] {
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn a_file_of_others_in_the_folder_of_a_shard_does_not_block_what_was_merged() {
    for name in ["x.parquet", "x/"] {
        let made = Made::new(name);
        let other = made.shard_place(1).bookkeeping().join(".nfs0001");
        fs::write(&other, "somebody's").unwrap();
        let place = made.place();
        assert!(shards::check_none(&place).is_err());
        made.merge().unwrap();
        assert!(other.exists());
        shards::check_none(&place).unwrap();
        assert!(made.merge().unwrap().is_old);
        // A shard that has begun again is none that is left over.
        let (owner, _) = Owner::take(&made.shard_place(1).lock()).unwrap();
        assert!(shards::check_none(&place).is_err());
        drop(owner);
    }
}
