//! What may change between two runs of a job, and what may not.

use super::{
    job::{Job, N_RECORDS, REJECTED},
    running::read,
};
use crate::{DEMO, ROOT};
use std::fs;

/// Changes something about a job that was begun. It is refused, with these words, and nothing is touched; with
/// `overwrite: true` it is begun anew.
fn check_refused(change: impl Fn(&mut Job), parts: &[&str]) {
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        let before = job.snapshot();
        change(&mut job);
        let remedy = "choose another output, or set `overwrite: true` to replace it";
        job.run().check_refused(1, &[parts, &[remedy]].concat());
        assert!(job.snapshot() == before);
        job.options += "overwrite: true,";
        job.check_goes_on(0);
        // And a finished one is refused as well.
        let mut job = job;
        job.options.clear();
        DEMO.clone_into(&mut job.model);
        "mock".clone_into(&mut job.device);
        job.mock.clear();
        job.dataset = Job::new().dataset;
        let before = job.snapshot();
        job.run().check_refused(1, &[remedy]);
        assert!(job.snapshot() == before);
    });
}

#[test]
fn another_model_is_refused() {
    let other = format!("{ROOT}/tests/golden/hd16");
    let parts = [
        "model: it has esm2_t6_2M_demo, the script asks for hd16",
        "layers: it has 6, the script asks for 2",
    ];
    check_refused(|job| job.model.clone_from(&other), &parts);
}

#[test]
fn other_weights_of_a_model_of_the_same_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("esm2_t6_2M_demo");
    fs::create_dir(&other).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::copy(format!("{DEMO}/{name}"), other.join(name)).unwrap();
    }
    let weights = other.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    // The last bits of a number.
    let last = bytes.len() - 4;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let mut job = Job::new();
    "cpu".clone_into(&mut job.device);
    job.dataset += ".take(50)";
    let mut running = job.start(0);
    running.wait_until(|| !job.commits().is_empty());
    running.killed();
    let before = job.snapshot();
    other.to_str().unwrap().clone_into(&mut job.model);
    job.run()
        .check_refused(1, &["weights_hash: it has", "`overwrite: true`"]);
    "mock".clone_into(&mut job.device);
    job.run()
        .check_refused(1, &["device_kind: it has", "the script asks for mock"]);
    assert!(job.snapshot() == before);
}

/// Lets an output seem to have been begun with something else in its identity.
fn pretend(job: &Job, is: &str, was: &str) {
    let text = read(&job.ledger());
    let (header, rest) = text.split_once('\n').unwrap();
    let (entry, _) = header.split_once(",\"sum\":").unwrap();
    let entry = entry.replace(is, was);
    let sum = blake3::hash(entry.as_bytes()).to_hex();
    let header = format!("{entry},\"sum\":\"{}\"}}", &sum[..16]);
    fs::write(job.ledger(), format!("{header}\n{rest}")).unwrap();
}

#[test]
fn what_was_begun_on_a_gpu_is_refused() {
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        for (is, was, message) in [
            (
                "\"dtype\":\"f32\"",
                "\"dtype\":\"bf16\"",
                "dtype: it has bf16, the script asks for f32",
            ),
            (
                "\"gelu\":\"erf\"",
                "\"gelu\":\"tanh\"",
                "gelu: it has tanh, the script asks for erf",
            ),
            (
                "\"device_kind\":\"mock\"",
                "\"device_kind\":\"NVIDIA H100\"",
                "device_kind: it has NVIDIA H100, the script asks for mock",
            ),
        ] {
            pretend(&job, is, was);
            job.run().check_refused(1, &[message, "`overwrite: true`"]);
        }
        job.options += "overwrite: true,";
        job.check_goes_on(0);
    });
}

#[test]
fn another_pooling_and_other_layers_are_refused_together() {
    let parts = [
        "pooling: it has mean, the script asks for max",
        "layers: it has 6, the script asks for 0,6",
    ];
    check_refused(
        |job| job.options += "pooling: \"max\", layers: [0, -1],",
        &parts,
    );
}

#[test]
fn other_rules_of_the_dataset_are_refused() {
    let change = |job: &mut Job| {
        job.dataset =
            "fasta(\"in.fa\").min_length(11).long_sequences(\"truncate\", 125).unknown_residues(\"strip\")"
                .to_owned();
    };
    let parts = [
        "min_length: it has 10, the script asks for 11",
        "long_sequences: it has truncate 126, the script asks for truncate 125",
        "residues: it has unk, the script asks for strip",
    ];
    check_refused(change, &parts);
    let parts = ["max_length: it has none, the script asks for 500"];
    check_refused(|job| job.dataset += ".max_length(500)", &parts);
}

#[test]
fn how_a_job_runs_may_change() {
    Job::of_both_kinds(|mut job| {
        job.interrupt();
        "readers: 1, prefetch: 1,".clone_into(&mut job.options);
        job.interrupt();
        "token_budget: 4096, commit_every: 0.01,".clone_into(&mut job.batches);
        "readers: 5, prefetch: 9, monitor_hz: 0, overlap: false,".clone_into(&mut job.options);
        "lanes: 3, jitter: 0.5".clone_into(&mut job.mock);
        let n_rows = job.n_committed();
        let mut running = job.start(super::job::SLOW);
        running.wait_until(|| job.n_committed() > n_rows);
        running.killed();
        "token_budget: 300, commit_every: 3600, packing: false,".clone_into(&mut job.batches);
        job.options.clear();
        job.mock.clear();
        let n_rows = job.n_committed();
        job.check_goes_on(n_rows);
        // And of what is finished it changes nothing.
        Job::new().batches.clone_into(&mut job.batches);
        "readers: 3,".clone_into(&mut job.options);
        let done = job.run().check_code(REJECTED);
        assert_eq!(done.figure("computed"), 0);
    });
}

#[test]
fn the_cpu_gives_the_same_bits_in_other_batches() {
    Job::of_both_kinds(|mut job| {
        job.dataset += &format!(".take({})", N_RECORDS / 3);
        "cpu".clone_into(&mut job.device);
        let mut running = job.start(0);
        running.wait_until(|| job.commits().len() > 2);
        running.killed();
        let n_rows = job.n_committed();
        "token_budget: 1000, packing: false,".clone_into(&mut job.batches);
        job.check_goes_on(n_rows);
    });
}
