//! What becomes of all shards together.

use super::place::Place;
use crate::{
    RUNNER,
    inputs::compression::COMPRESSORS,
    resume::{
        job::{FAST, Job, REJECTED, SLOW, proteins},
        running::{Done, read},
    },
};
use serde_json::Value;
use std::{fs, process::Command};

const N_SHARDS: usize = 3;
const FORMS: [&str; 5] = ["gz", "bgz", "zst", "bz2", "xz"];

fn merge(job: &Job) {
    let merged = Command::new(RUNNER)
        .arg("merge")
        .arg(job.output_path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&merged.stderr).into_owned();
    assert_eq!(merged.status.code(), Some(REJECTED), "{said}");
}

/// Starts each shard in turn, and lets it end.
fn run_all(job: &mut Job) -> Vec<Done> {
    let shards = (0..N_SHARDS).map(|index| {
        job.wrapper = vec![format!("RUNNER_SHARD={index}/{N_SHARDS}")];
        let done = job.start_as(&format!("shard-{index}"), FAST).done();
        assert!(
            [Some(0), Some(REJECTED)].contains(&done.code),
            "{}",
            done.stderr
        );
        done
    });
    let all = shards.collect();
    job.wrapper.clear();
    all
}

/// A job on 40,000 residues in each form of compression, and on an empty file.
fn job_on_all_forms() -> Job {
    let mut job = Job::new();
    "out/".clone_into(&mut job.output);
    let text = proteins(400).replace(">p", ">other");
    let mut names = vec!["in.fa".to_owned(), "empty.fa".to_owned()];
    fs::write(job.path("empty.fa"), "").unwrap();
    for (compress, form) in COMPRESSORS.iter().zip(FORMS) {
        let name = format!("in.fa.{form}");
        let text = text.replace(">", &format!(">{form}-"));
        fs::write(job.path(&name), compress(text.as_bytes())).unwrap();
        names.push(name);
    }
    job.dataset = job.dataset.replace("\"in.fa\"", &format!("{names:?}"));
    job
}

#[test]
fn inputs_of_every_form_are_divided() {
    let mut job = job_on_all_forms();
    let ended = run_all(&mut job);
    let computed: Vec<_> = ended.iter().map(|done| done.figure("computed")).collect();
    merge(&job);
    let content = job.check_whole();
    assert_eq!(content.rows.len(), computed.iter().sum::<usize>());
    assert!(computed.iter().all(|n| *n > 300), "{computed:?}");
}

/// The middle of a file that is read from its beginning is killed on its way.
#[test]
fn a_killed_shard_of_a_compressed_file_goes_on() {
    // The others decompress in blocks that are larger than a third of the file.
    for (compress, form) in COMPRESSORS.iter().zip(FORMS).take(2) {
        let mut job = Job::new();
        let name = format!("in.fa.{form}");
        fs::write(job.path(&name), compress(&read_bytes(&job, "in.fa"))).unwrap();
        job.dataset = job.dataset.replace("in.fa", &name);
        job.wrapper = vec![format!("RUNNER_SHARD=1/{N_SHARDS}")];
        let mut running = job.start(SLOW / 10);
        let ledger = job.bookkeeping().join("shard-00001-of-00003/ledger.jsonl");
        running.wait_until(|| read(&ledger).matches("\"commit\":").count() >= 2);
        running.killed();
        let ended = run_all(&mut job);
        assert!(ended[1].figure("resumed") > 0, "{}", ended[1].stdout);
        merge(&job);
        job.check_whole();
    }
}

fn read_bytes(job: &Job, name: &str) -> Vec<u8> {
    fs::read(job.path(name)).unwrap()
}

#[test]
fn a_shard_counts_its_own_bytes_and_says_what_it_skips() {
    let mut job = job_on_all_forms();
    job.is_told = true;
    let size = |name: &str| fs::metadata(job.path(name)).unwrap().len();
    let mut total = size("in.fa");
    total += FORMS
        .iter()
        .map(|form| size(&format!("in.fa.{form}")))
        .sum::<u64>();
    let ended = run_all(&mut job);
    let mut told = 0;
    for done in &ended {
        let events = done
            .stderr
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let events: Vec<_> = events.collect();
        let of = |name: &str| {
            let events = events.iter().filter(|event| event["event"] == *name);
            events
                .filter_map(|event| event["input_bytes"].as_u64())
                .sum::<u64>()
        };
        let expected = of("run_started");
        told += expected;
        // The blocks of bgzip are as long as they are.
        let read = of("unit_read");
        assert!(read.abs_diff(expected) < 70_000, "{read} of {expected}");
    }
    assert_eq!(told, total);
    let all: String = ended.iter().map(|done| done.stderr.as_str()).collect();
    assert!(
        all.contains("\"event\":\"skipping_bytes\",\"input\":\"in.fa."),
        "a shard begins in a file"
    );
}

#[test]
fn records_are_counted_from_where_a_shard_begins() {
    let place = Place::new();
    let text = fs::read_to_string(place.path("in.fa")).unwrap();
    fs::write(place.path("in.fa"), text.replace(">p25\n", ">p25\nJ")).unwrap();
    let script = "embed(model, proteins.unknown_residues(\"error\"));";
    let whole = place.run("exec", &[], &[], script);
    assert!(
        whole.stderr.contains("record 26 (`p25`)"),
        "{}",
        whole.stderr
    );
    let half = place.run("exec", &["--shard", "1/2"], &[], script);
    let cut = fs::metadata(place.path("in.fa")).unwrap().len() / 2;
    let part = format!(" behind byte {cut} (`p25`)");
    assert!(half.stderr.contains(&part), "{part}: {}", half.stderr);
    assert!(!half.stderr.contains("record 26"), "{}", half.stderr);
}
