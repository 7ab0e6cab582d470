//! What was committed is damaged, or gone.

use super::{
    inputs::touch,
    job::{Job, REJECTED, names_in},
    running::read,
};
use serde_json::Value;
use std::{fs, path::Path};

/// Changes a byte in the middle of a file, whose size stays.
pub fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn n_rows(commit: &Value) -> usize {
    commit["rows"].as_u64().unwrap() as usize
}

/// Runs a job, does something to what it has committed, and runs it again. What is gone is known at once, or
/// found while the job goes on: those rows are computed again, and no others. `spoil` gives them.
fn check(spoil: impl Fn(&Job, &[Value]) -> usize) {
    Job::of_both_kinds(|job| {
        let n_committed = job.interrupt();
        let n_gone = spoil(&job, &job.commits());
        assert!(n_gone < n_committed);
        let done = job.run().check_code(REJECTED);
        let content = job.check_whole();
        let n_resumed = n_committed - n_gone;
        let figures = (done.figure("resumed"), done.figure("computed"));
        assert_eq!(figures, (n_resumed, content.rows.len() - n_resumed));
    });
}

#[test]
fn a_ledger_whose_last_line_is_torn() {
    check(|job, commits| {
        let text = read(&job.ledger());
        fs::write(job.ledger(), &text[..text.len() - 9]).unwrap();
        n_rows(commits.last().unwrap())
    });
}

#[test]
fn a_ledger_with_a_line_that_was_begun() {
    check(|job, _| {
        let text = read(&job.ledger());
        fs::write(job.ledger(), text + "{\"commit\":{\"from\":").unwrap();
        0
    });
}

#[test]
fn a_ledger_with_a_damaged_line() {
    for n in [0, 1] {
        check(|job, commits| {
            let name = commits[n]["file"]["name"].as_str().unwrap();
            let text = read(&job.ledger());
            fs::write(
                job.ledger(),
                text.replace(name, &name.replace("part", "pert")),
            )
            .unwrap();
            n_rows(&commits[n])
        });
    }
}

#[test]
fn a_ledger_without_its_stretches() {
    check(|job, _| {
        let text = read(&job.ledger());
        fs::write(job.ledger(), text.replace("{\"stretch\"", "{\"stretsh\"")).unwrap();
        0
    });
}

#[test]
fn a_part_that_is_damaged() {
    for n in [0, 1, 2] {
        check(|job, commits| {
            damage(&job.part(&commits[n]));
            n_rows(&commits[n])
        });
    }
}

#[test]
fn parts_that_are_damaged_while_the_input_was_touched() {
    check(|job, commits| {
        damage(&job.part(&commits[0]));
        damage(&job.part(&commits[2]));
        touch(&job.path("in.fa"));
        n_rows(&commits[0]) + n_rows(&commits[2])
    });
}

#[test]
fn parts_that_are_damaged_cut_off_and_missing() {
    check(|job, commits| {
        let part = job.part(&commits[0]);
        let bytes = fs::read(&part).unwrap();
        fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
        fs::remove_file(job.part(&commits[2])).unwrap();
        n_rows(&commits[0]) + n_rows(&commits[2])
    });
}

#[test]
fn a_list_of_rejections_that_is_damaged_or_missing() {
    for is_seen_at_once in [true, false] {
        check(|job, commits| {
            let has_rejects = |commit: &&Value| !commit["rejects"].is_null();
            let commit = commits.iter().find(has_rejects).unwrap();
            let path = job
                .bookkeeping()
                .join(commit["rejects"]["name"].as_str().unwrap());
            match is_seen_at_once {
                true => fs::remove_file(path).unwrap(),
                false => damage(&path),
            }
            n_rows(commit)
        });
    }
}

#[test]
fn all_parts_that_are_missing() {
    Job::of_both_kinds(|job| {
        job.interrupt();
        for commit in job.commits() {
            fs::remove_file(job.part(&commit)).unwrap();
        }
        job.check_goes_on(0);
    });
}

#[test]
fn a_finished_folder_is_mended() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    job.interrupt();
    job.check_ends_well();
    let commits = job.commits();
    for n in [0, commits.len() / 2, commits.len() - 1] {
        let commit = &commits[n];
        fs::remove_file(job.part(commit)).unwrap();
        if n > 0 {
            touch(&job.path("in.fa"));
        }
        assert_eq!(job.status()["state"], "finished");
        let done = job.check_ends_well();
        assert_eq!(done.figure("computed"), n_rows(commit));
    }
}

#[test]
fn a_ledger_without_its_first_line() {
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        let text = read(&job.ledger());
        fs::write(job.ledger(), text.replacen("{\"header\"", "{\"reader\"", 1)).unwrap();
        let before = job.snapshot();
        let refused = ["the first line of", "is damaged", "`overwrite: true`"];
        job.run().check_refused(1, &refused);
        assert!(job.snapshot() == before);
        "overwrite: true,".clone_into(&mut job.options);
        job.check_goes_on(0);
    });
}

#[test]
fn a_ledger_that_was_only_begun() {
    Job::of_both_kinds(|job| {
        job.interrupt();
        for text in ["", "{\"header\":{\"ledg"] {
            for path in super::content::files_in(&job.bookkeeping()) {
                fs::remove_file(path).unwrap();
            }
            for name in names_in(&job.output_path()) {
                fs::remove_file(job.output_path().join(name)).unwrap();
            }
            fs::write(job.ledger(), text).unwrap();
            let done = job.run().check_code(REJECTED);
            assert_eq!(done.figure("resumed"), 0);
            job.check_whole();
            if !job.is_folder() {
                fs::remove_file(job.output_path()).unwrap();
                fs::remove_file(job.path("out.parquet.rejects.tsv")).unwrap();
                fs::create_dir(job.bookkeeping()).unwrap();
            } else {
                fs::remove_file(job.path("out.rejects.tsv")).unwrap();
            }
        }
        fs::remove_dir_all(job.bookkeeping()).unwrap();
    });
}
