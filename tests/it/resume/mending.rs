//! What is found to be damaged when an output, or a shard of it, was finished.

use super::{
    content::Content,
    damage::damage,
    job::{Job, REJECTED, commits_in},
    merge::{N_SHARDS, as_shard, merge, run_shards},
    running::read,
};
use crate::RUNNER;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Makes the line of a commit, or that of the end, unreadable.
fn spoil_line(ledger: &Path, is_it: impl Fn(&str) -> bool) {
    let text = read(ledger);
    let mut n_spoiled = 0;
    let lines = text.lines().map(|line| match is_it(line) {
        true => {
            n_spoiled += 1;
            line.replace("\"rows\":", "\"rowz\":") + "\n"
        }
        false => line.to_owned() + "\n",
    });
    let text: String = lines.collect();
    assert_eq!(n_spoiled, 1);
    fs::write(ledger, text).unwrap();
}

fn spoil_commit(ledger: &Path, commit: &Value) {
    let name = commit["file"]["name"].as_str().unwrap();
    spoil_line(ledger, |line| line.contains(name));
}

fn n_rows(commit: &Value) -> usize {
    commit["rows"].as_u64().unwrap() as usize
}

fn shard_folder(job: &Job, index: usize) -> PathBuf {
    let name = format!("shard-{index:05}-of-{N_SHARDS:05}");
    job.bookkeeping().join(name)
}

fn folder() -> Job {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    job.interrupt();
    job.check_ends_well();
    job
}

/// Exit code, stdout and stderr of `runner verify`.
fn verify(output: &Path) -> (Option<i32>, String, String) {
    let said = Command::new(RUNNER).arg("verify").arg(output).output();
    let said = said.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (said.status.code(), text(said.stdout), text(said.stderr))
}

#[test]
fn a_file_that_is_complete_and_not_published_is_verified() {
    // All that a process leaves that had no room for the file itself.
    let mut job = folder();
    let content = Content::of(&job.output_path());
    let parts = job.path("out.parquet.parts");
    fs::rename(job.path("out.ledger"), &parts).unwrap();
    fs::remove_file(parts.join("manifest.json")).unwrap();
    for entry in fs::read_dir(job.path("out")).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), parts.join(entry.file_name())).unwrap();
    }
    fs::remove_dir(job.path("out")).unwrap();
    fs::remove_file(job.path("out.rejects.tsv")).unwrap();
    "out.parquet".clone_into(&mut job.output);
    let (code, said, _) = verify(&job.output_path());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is complete and not published"), "{said}");
    assert!(said.contains("run the script again"), "{said}");
    let commits = job.commits();
    damage(&job.part(&commits[1]));
    spoil_commit(&job.ledger(), &commits[2]);
    let (code, said, hint) = verify(&job.output_path());
    assert_eq!((code, said.lines().count()), (Some(1), 2), "{said}");
    assert!(said.contains("is damaged") && said.contains("lacks the records"));
    assert!(!said.contains("ledger.jsonl") && hint.contains("nothing else"));
    let n_lost = n_rows(&commits[1]) + n_rows(&commits[2]);
    job.check_goes_on(content.rows.len() - n_lost);
}

#[test]
fn a_finished_folder_computes_what_its_ledger_does_not_speak_of() {
    let job = folder();
    let content = Content::of(&job.output_path());
    for n in [0, 1, job.commits().len() - 1] {
        let commits = job.commits();
        spoil_commit(&job.ledger(), &commits[n]);
        assert_eq!(job.status()["state"], "stopped");
        let (code, said, _) = verify(&job.output_path());
        assert_eq!(code, Some(1), "{said}");
        job.check_goes_on(content.rows.len() - n_rows(&commits[n]));
        job.check_goes_on(content.rows.len());
    }
    let text = read(&job.ledger());
    let text = text.replace("{\"end\":", "{\"and\":");
    fs::write(job.ledger(), text).unwrap();
    job.check_goes_on(content.rows.len());
}

/// Finished shards of which one is spoilt: it is named by a merge, computes what was spoilt, and no more, and all are
/// merged then.
fn check_shards(spoil: impl Fn(&Path, &[Value]) -> usize, messages: &[&str]) {
    Job::of_both_kinds(|mut job| {
        run_shards(&mut job, N_SHARDS);
        let folder = shard_folder(&job, 1);
        let commits = commits_in(&folder.join("ledger.jsonl"));
        let n_gone = spoil(&folder, &commits);
        let expected: Vec<_> = messages.iter().copied().chain(["--shard 1/4"]).collect();
        merge(&job, &[]).check_refused(1, &expected);
        assert!(!job.is_published());
        as_shard(&mut job, 1, N_SHARDS);
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), n_gone);
        job.wrapper.clear();
        merge(&job, &[]).check_code(REJECTED);
        job.check_whole();
    });
}

#[test]
fn a_shard_computes_what_its_ledger_does_not_speak_of() {
    let spoil = |folder: &Path, commits: &[Value]| {
        let commit = commits.last().unwrap();
        spoil_commit(&folder.join("ledger.jsonl"), commit);
        n_rows(commit)
    };
    check_shards(spoil, &["does not speak of any more"]);
}

#[test]
fn a_shard_computes_parts_that_a_merge_found_damaged() {
    let spoil = |folder: &Path, commits: &[Value]| {
        let name = |n: usize| folder.join(commits[n]["file"]["name"].as_str().unwrap());
        let damaged = BTreeSet::from([0, commits.len() - 1]);
        damaged.iter().for_each(|n| damage(&name(*n)));
        damaged.iter().map(|n| n_rows(&commits[*n])).sum()
    };
    check_shards(spoil, &["was damaged, and is removed"]);
}

#[test]
fn a_shard_computes_rejections_that_a_merge_found_damaged() {
    let spoil = |folder: &Path, commits: &[Value]| {
        let has_rejects = |commit: &&Value| !commit["rejects"].is_null();
        let commit = commits.iter().find(has_rejects).unwrap();
        damage(&folder.join(commit["rejects"]["name"].as_str().unwrap()));
        n_rows(commit)
    };
    check_shards(spoil, &["rejects.tsv` was damaged, and is removed"]);
}

#[test]
fn a_shard_without_a_ledger_is_refused_by_itself_and_by_a_merge_alike() {
    let spoilt: [fn(&Path); 3] = [
        |ledger| fs::remove_file(ledger).unwrap(),
        |ledger| fs::write(ledger, "").unwrap(),
        |ledger| {
            fs::write(
                ledger,
                read(ledger).replacen("{\"header\"", "{\"reader\"", 1),
            )
            .unwrap();
        },
    ];
    let mut job = Job::new();
    run_shards(&mut job, N_SHARDS);
    let folder = shard_folder(&job, 1);
    let kept = read(&folder.join("ledger.jsonl"));
    let remedy = ["the ledger of shard 1/4 is gone", "remove `", "--shard 1/4"];
    for spoil in spoilt {
        spoil(&folder.join("ledger.jsonl"));
        let before = job.snapshot();
        merge(&job, &[]).check_refused(1, &remedy);
        as_shard(&mut job, 1, N_SHARDS);
        job.run().check_refused(1, &remedy);
        assert!(job.snapshot() == before);
        job.wrapper.clear();
    }
    // Either remedy helps.
    fs::write(folder.join("ledger.jsonl"), kept).unwrap();
    merge(&job, &["one.parquet"]).check_code(REJECTED);
    fs::remove_dir_all(&folder).unwrap();
    as_shard(&mut job, 1, N_SHARDS);
    job.run().check_code(REJECTED);
    job.wrapper.clear();
    merge(&job, &[]).check_code(REJECTED);
    job.check_whole();
}

#[test]
fn a_damaged_part_of_a_folder_comes_into_no_file() {
    let job = folder();
    let commits = job.commits();
    let part = job.part(&commits[1]);
    damage(&part);
    let name = commits[1]["file"]["name"].as_str().unwrap();
    merge(&job, &["one.parquet"]).check_refused(1, &[name, "remove this file"]);
    assert!(!job.path("one.parquet").exists());
    fs::remove_file(part).unwrap();
    let done = job.check_ends_well();
    assert_eq!(done.figure("computed"), n_rows(&commits[1]));
    merge(&job, &["one.parquet"]).check_code(REJECTED);
}
