//! A job with records of many pieces, ended in the middle of one.

use super::{
    job::{Job, SLOW, proteins},
    running::{Running, read, sum},
};
use nix::sys::signal::Signal;
use std::fmt::Write;

/// How a job ends that is told to stop.
const STOPPED: i32 = 75;

/// A job on short records and long ones, which are of 200 windows each.
fn job(output: &str) -> Job {
    let short = proteins(30);
    let mut records = short.split('>').skip(1);
    let residues: String = short
        .split('>')
        .flat_map(|record| record.lines().skip(1))
        .collect();
    let mut text = String::new();
    for n in 0..3 {
        for record in records.by_ref().take(10) {
            write!(text, ">{record}").unwrap();
        }
        let long: String = residues.chars().cycle().skip(17 * n).take(8000).collect();
        writeln!(text, ">long{n} of many windows\n{long}").unwrap();
    }
    let mut job = Job::on(&text);
    "fasta(\"in.fa\").min_length(10).long_sequences(\"window\", 60, #{ overlap: 20 })"
        .clone_into(&mut job.dataset);
    output.clone_into(&mut job.output);
    job.is_told = true;
    job
}

/// Waits until a job is in the middle of a long record: all before the first one is committed, and a part of its
/// windows, or of those of the others, is computed since.
fn in_the_middle(job: &Job, running: &mut Running) {
    let events = running.stderr.clone();
    let tokens = || sum(&read(&events), "batch_encoded", "tokens");
    running.wait_until(|| job.n_committed() > 0);
    let before = tokens();
    running.wait_until(|| tokens() > before + 2000);
}

#[test]
fn a_record_of_many_pieces_is_computed_again_as_a_whole() {
    for output in ["out.parquet", "out/"] {
        let job = job(output);
        for _ in 0..2 {
            let mut running = job.start(SLOW / 2);
            in_the_middle(&job, &mut running);
            running.killed();
            assert!(!job.is_published(), "it was to be ended before");
        }
        job.check_goes_on(job.n_committed());
        assert_eq!(job.status_of_finished()["state"], "finished");
    }
}

#[test]
fn a_job_that_is_told_to_stop_stops_between_pieces() {
    let job = job("out/");
    let mut running = job.start(SLOW / 2);
    in_the_middle(&job, &mut running);
    running.send(Signal::SIGTERM);
    running.done().check_code(STOPPED);
    assert!(!job.is_published());
    job.check_goes_on(job.n_committed());
}
