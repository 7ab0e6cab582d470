//! A sweep whose runs have outputs.

use super::{content::Content, job::Job};
use crate::DEMO;
use std::fs;

fn script(job: &Job, tokens_per_sec: u32) -> String {
    format!(
        "let model = esm2(\"{DEMO}\", #{{ device: \"mock\", mock: #{{ tokens_per_sec: {tokens_per_sec} }} }});
        let table = sweep(\"poolings\", #{{ folder: \"sweeps\" }});
        for pooling in [\"mean\", \"max\", \"cls\"] {{
            table.run(#{{ pooling: pooling }}, || {{
                print(`point ${{pooling}}`);
                let run = embed(model, {}, #{{ {} pooling: pooling, output: `out-${{pooling}}.parquet` }});
                print(`resumed-${{pooling}} ${{run.resumed}}`);
                run
            }});
        }}
        print(`points ${{table.len}}`);",
        job.dataset, job.batches
    )
}

#[test]
fn a_sweep_with_outputs_that_is_killed_goes_on() {
    let mut job = Job::new();
    let start = |job: &Job, speed| job.start_script("job", &script(job, speed));
    // In the middle of the second point.
    let mut running = start(&job, 40_000);
    "out-max.parquet".clone_into(&mut job.output);
    running.wait_until(|| job.commits().len() > 2);
    running.killed();
    let n_committed = job.n_committed();
    assert!(n_committed > 0 && job.path("out-mean.parquet").exists());
    let before = fs::metadata(job.path("out-mean.parquet"))
        .unwrap()
        .modified()
        .unwrap();
    let done = start(&job, super::job::FAST).done();
    assert!([Some(0), Some(7)].contains(&done.code), "{}", done.stderr);
    assert_eq!(done.figure("points"), 3);
    assert!(!done.stdout.contains("point mean"), "{}", done.stdout);
    assert_eq!(done.figure("resumed-max"), n_committed);
    assert_eq!(done.figure("resumed-cls"), 0);
    let after = fs::metadata(job.path("out-mean.parquet"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(after, before);
    let names: Vec<_> = ["cls", "max", "mean"]
        .iter()
        .flat_map(|name| ["", ".rejects.tsv"].map(|end| format!("out-{name}.parquet{end}")))
        .collect();
    assert_eq!(job.names(), names);
    for pooling in ["mean", "max", "cls"] {
        let found = Content::of(&job.path(&format!("out-{pooling}.parquet")));
        job.output = format!("out-{pooling}.parquet");
        job.options = format!("pooling: \"{pooling}\",");
        found.check_is(&job.undisturbed());
    }
    // A sweep that is begun anew finds its outputs, and has nothing to measure.
    fs::remove_dir_all(job.path("sweeps")).unwrap();
    let done = start(&job, super::job::FAST).done();
    assert!([Some(0), Some(7)].contains(&done.code), "{}", done.stderr);
    assert_eq!(done.figure("points"), 3);
}
