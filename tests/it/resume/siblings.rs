//! Shards that do not belong together, as their inputs or what is made of them are not the same.

use super::{
    inputs::touch,
    job::{FAST, Job, REJECTED, SLOW, proteins},
    merge::{N_SHARDS, as_shard, in_shards, merge, run_shards},
    running::read,
};
use serde_json::Value;
use std::fs;

/// Bytes of which all count.
const SMALL: usize = 100;

#[test]
fn shards_of_other_inputs_are_refused() {
    let of_one_size = |names: [&str; 2]| {
        let mut job = Job::on(&proteins(SMALL));
        let text = read(&job.path("in.fa"));
        fs::write(job.path("other.fa"), text.replace("turned", "moved!")).unwrap();
        job.dataset = format!("fasta({names:?})");
        job
    };
    // The same files in another order.
    let mut job = of_one_size(["in.fa", "other.fa"]);
    as_shard(&mut job, 0, 2);
    job.run().check_code(0);
    job.dataset = "fasta([\"other.fa\", \"in.fa\"])".to_owned();
    as_shard(&mut job, 1, 2);
    let before = job.snapshot();
    let parts = ["the inputs are not those with which shard 0/2", "order"];
    job.run().check_refused(1, &parts);
    assert!(job.snapshot() == before);
    // Another content of the same size, at the end of a file.
    let mut job = of_one_size(["in.fa", "other.fa"]);
    as_shard(&mut job, 0, 2);
    job.run().check_code(0);
    let text = read(&job.path("other.fa"));
    let at = text.rfind('M').unwrap();
    let changed = format!("{}A{}", &text[..at], &text[at + 1..]);
    fs::write(job.path("other.fa"), changed).unwrap();
    as_shard(&mut job, 1, 2);
    job.run().check_refused(1, &parts[..1]);
    fs::write(job.path("other.fa"), text).unwrap();
    job.run().check_code(0);
    merge(&job, &[]).check_code(0);
}

#[test]
fn shards_of_touched_files_or_of_copies_are_merged_with_a_warning() {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    run_shards(&mut job, N_SHARDS);
    let done = merge(&job, &["--json", "same.parquet"]).check_code(REJECTED);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["warning"], Value::Null);
    // One shard is made again of a file that was touched.
    fs::remove_dir_all(job.bookkeeping().join("shard-00002-of-00004")).unwrap();
    touch(&job.path("in.fa"));
    as_shard(&mut job, 2, N_SHARDS);
    job.run().check_code(REJECTED);
    job.wrapper.clear();
    let message = "shards 0/4 and 2/4 found the inputs in different states";
    let done = merge(&job, &["--json", "other.parquet"]).check_code(REJECTED);
    let said: Value = serde_json::from_str(&done.stdout).unwrap();
    assert!(said["warning"].as_str().unwrap().contains(message));
    assert!(done.stderr.contains("\"event\":\"warning\""));
    let done = merge(&job, &[]).check_code(REJECTED);
    assert!(done.stderr.contains(message), "{}", done.stderr);
    job.check_whole();
}

#[test]
fn a_shard_of_another_output_is_refused_before_it_computes() {
    for (begin, options) in [
        (0, "pooling: \"max\","),
        (1, "pooling: \"max\", overwrite: true,"),
    ] {
        Job::of_both_kinds(|mut job| {
            as_shard(&mut job, 0, N_SHARDS);
            // With `overwrite` only one on which somebody works is not to be replaced.
            let running = (begin == 1).then(|| {
                let mut running = job.start_as("first", SLOW);
                let folder = job.bookkeeping().join("shard-00000-of-00004/ledger.jsonl");
                running.wait_until(|| read(&folder).lines().count() > 1);
                running
            });
            if running.is_none() {
                job.run().check_code(REJECTED);
            }
            options.clone_into(&mut job.options);
            as_shard(&mut job, 1, N_SHARDS);
            let parts = [
                "shard 1/4 would be a shard of another output than shard 0/4",
                "shard-00000-of-00004`",
                "pooling: it has mean, the script asks for max",
                "--shard 0/4",
            ];
            let done = job.start_as("other", FAST).done();
            done.check_refused(1, &parts);
            assert!(!job.bookkeeping().join("shard-00001-of-00004").exists());
            if let Some(running) = running {
                running.killed();
            }
        });
    }
}

#[test]
fn all_shards_are_made_anew_where_scripts_say_so() {
    in_shards(|mut job| {
        "pooling: \"max\", overwrite: true,".clone_into(&mut job.options);
        run_shards(&mut job, N_SHARDS);
        merge(&job, &[]).check_code(REJECTED);
        job.check_whole();
    });
}
