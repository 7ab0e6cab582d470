//! Shards that do not belong together, as their inputs or what is made of them are not the same.

use super::{
    inputs::touch,
    job::{FAST, Job, REJECTED, SLOW, proteins},
    merge::{N_SHARDS, as_shard, in_shards, merge, run_shards},
    running::read,
};
use crate::RUNNER;
use serde_json::Value;
use std::{fs, process::Command};

/// Bytes of which all count.
const SMALL: usize = 100;

#[test]
fn shards_of_other_inputs_are_refused() {
    let dataset = |names: [&str; 2]| format!("fasta({names:?}).long_sequences(\"truncate\", 126)");
    let of_one_size = |names: [&str; 2]| {
        let mut job = Job::on(&proteins(SMALL));
        let text = read(&job.path("in.fa"));
        fs::write(job.path("other.fa"), text.replace("turned", "moved!")).unwrap();
        job.dataset = dataset(names);
        job
    };
    // The same files in another order.
    let mut job = of_one_size(["in.fa", "other.fa"]);
    as_shard(&mut job, 0, 2);
    job.run().check_code(0);
    job.dataset = dataset(["other.fa", "in.fa"]);
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
    for is_living in [false, true] {
        Job::of_both_kinds(|mut job| {
            as_shard(&mut job, 0, N_SHARDS);
            let running = is_living.then(|| {
                let mut running = job.start_as("first", SLOW);
                let folder = job.bookkeeping().join("shard-00000-of-00004/ledger.jsonl");
                running.wait_until(|| read(&folder).lines().count() > 1);
                running
            });
            if running.is_none() {
                job.run().check_code(REJECTED);
            }
            "pooling: \"max\",".clone_into(&mut job.options);
            as_shard(&mut job, 1, N_SHARDS);
            let parts = [
                "shard 1/4 would be a shard of another output than shard 0/4",
                "shard-00000-of-00004`",
                "pooling: it has mean, the script asks for max",
                "--shard 0/4",
                if is_living {
                    "end it"
                } else {
                    "`overwrite: true`"
                },
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

#[test]
fn a_merge_makes_no_file_where_an_output_lies() {
    in_shards(|job| {
        let own = job.output.clone();
        let folder = job.bookkeeping();
        let before = job.snapshot();
        let refused = |file: &str, code: i32, parts: &[&str]| {
            merge(&job, &[file]).check_refused(code, parts);
            assert!(job.snapshot() == before, "{file}");
        };
        if job.is_folder() {
            refused(&own, 3, &["`out/` names a folder", "name of a file"]);
            refused("out/x.parquet", 1, &["would lie in", "holds nothing else"]);
        } else {
            for file in [&own, "./out.parquet"] {
                refused(file, 1, &["is the output itself", "leave it out"]);
            }
        }
        refused("other/", 3, &["`other/` names a folder", "name of a file"]);
        for place in [folder.clone(), folder.join("shard-00000-of-00004")] {
            let file = place.join("x.parquet");
            refused(file.to_str().unwrap(), 1, &["would lie in"]);
        }
        // Nor do runs and other merges.
        let mut other = Job::new();
        other.output = folder.join("x.parquet").display().to_string();
        other.run().check_refused(1, &["would lie in"]);
        run_shards(&mut other_shards(&job, "two.parquet"), 2);
        let said = merge(&job, &["two.parquet"]);
        said.check_refused(1, &["an output of its own", "choose another file"]);
        assert!(!said.stderr.contains("remove"), "{}", said.stderr);
        merge(&job, &[]).check_code(REJECTED);
        job.check_whole();
    });
}

/// A job of another output in the same folder.
fn other_shards(job: &Job, output: &str) -> Job {
    let mut other = Job::new();
    other.dataset = other
        .dataset
        .replace("in.fa", job.path("in.fa").to_str().unwrap());
    other.output = job.path(output).display().to_string();
    other
}

#[test]
fn embeddings_of_shards_are_there_after_the_merge() {
    Job::of_both_kinds(|mut job| {
        let output = job.output.clone();
        let reads = [
            "print(run.embeddings().len);".to_owned(),
            format!("print(embeddings(\"{output}\").len);"),
        ];
        let merging = format!("after `runner merge {output}`");
        as_shard(&mut job, 0, N_SHARDS);
        for read in &reads {
            let script = job.script(FAST, &output) + read.as_str();
            let done = job.start_script("reading", &script).done();
            done.check_refused(3, &["this is shard 0/4 of", &merging]);
            assert!(job.names().is_empty(), "nothing is computed before");
        }
        run_shards(&mut job, N_SHARDS);
        let script = |read: &str| job.start_script("reading", read).done();
        let parts = ["is made in shards, which are not merged", &merging];
        script(&reads[1]).check_refused(3, &parts);
        let folder = job.bookkeeping().join("shard-00001-of-00004");
        let done = script(&format!("print(embeddings({folder:?}).len);"));
        done.check_refused(3, &["is shard 1/4 of", "runner merge"]);
        merge(&job, &[]).check_code(REJECTED);
        let n_rows = job.status_of_finished()["rows"].to_string();
        as_shard(&mut job, 2, N_SHARDS);
        for read in &reads {
            let script = job.script(FAST, &output) + read.as_str();
            let done = job
                .start_script("reading", &script)
                .done()
                .check_code(REJECTED);
            assert!(done.stdout.trim().ends_with(&n_rows), "{}", done.stdout);
        }
    });
}

#[test]
fn the_status_says_which_shard_it_is_of_and_what_shards_do_not_share() {
    in_shards(|mut job| {
        let status = |path: &str, told: &[&str]| {
            let mut command = Command::new(RUNNER);
            command
                .args(told)
                .arg("status")
                .arg(path)
                .current_dir(job.path(""));
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let shard = job.bookkeeping().join("shard-00002-of-00004");
        let said = status(shard.to_str().unwrap(), &[]);
        assert!(said.contains("2/4"), "{said}");
        let said = status(shard.to_str().unwrap(), &["--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(said["shard"], serde_json::json!({ "index": 2, "count": 4 }));
        assert_eq!(job.status()["conflicts"], serde_json::json!([]));
        "pooling: \"max\", overwrite: true,".clone_into(&mut job.options);
        as_shard(&mut job, 1, N_SHARDS);
        job.run().check_code(REJECTED);
        let conflict = "pooling is mean in shard 0/4, and max in shard 1/4";
        assert_eq!(job.status()["conflicts"], serde_json::json!([conflict]));
        merge(&job, &[]).check_refused(
            1,
            &["shard-00000-of-00004`", "shard-00001-of-00004`", "is wrong"],
        );
    });
}

#[test]
fn a_merged_output_is_none_of_a_shard() {
    in_shards(|job| {
        merge(&job, &[]).check_code(REJECTED);
        let status = job.status_of_finished();
        assert_eq!(status["settings"]["shard"], Value::Null, "{status}");
        assert!(!status.to_string().contains("\"1/4\""), "{status}");
        let bytes = match job.is_folder() {
            true => fs::read(job.ledger()).unwrap(),
            false => fs::read(job.output_path()).unwrap(),
        };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("runner.shard") && !text.contains("\"shard\""));
    });
}
