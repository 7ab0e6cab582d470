//! A job that is told to stop, and run again.

use super::job::{Job, REJECTED, SLOW};
use nix::sys::signal::Signal;

/// How a job ends that is told to stop.
const STOPPED: i32 = 75;

#[test]
fn a_job_that_is_told_to_stop_computes_nothing_twice() {
    Job::of_both_kinds(|mut job| {
        job.is_told = true;
        let mut n_computed = 0;
        for _ in 0..3 {
            let n_before = job.commits().len();
            let mut running = job.start(SLOW);
            running.wait_until(|| job.commits().len() > n_before + 1);
            running.send(Signal::SIGTERM);
            let done = running.done().check_code(STOPPED);
            n_computed += done.sum("batch_encoded", "sequences");
            assert_eq!(n_computed as usize, job.n_committed());
            assert_eq!(job.status()["state"], "stopped");
        }
        assert!(!job.is_published());
        job.check_goes_on(job.n_committed());
        assert_eq!(job.status_of_finished()["lost_rows"], 0);
    });
}

#[test]
fn a_job_that_is_stopped_before_its_first_row_leaves_nothing() {
    Job::of_both_kinds(|mut job| {
        // A batch takes seconds.
        "token_budget: 256, grace: 0,".clone_into(&mut job.batches);
        let mut running = job.start(20);
        running.wait_until(|| job.ledger().exists());
        running.send(Signal::SIGTERM);
        running.done().check_code(STOPPED);
        assert_eq!(job.names(), [""; 0]);
        "token_budget: 256,".clone_into(&mut job.batches);
        job.check_goes_on(0);
    });
}

#[test]
fn a_stop_while_a_job_goes_on_keeps_what_was_there() {
    let job = Job::new();
    let n_rows = job.interrupt();
    let mut running = job.start(20);
    let path = job.ledger();
    let n_stretches = || super::running::read(&path).matches("{\"stretch\"").count();
    running.wait_until(|| n_stretches() == 2);
    running.send(Signal::SIGHUP);
    running.done().check_code(129);
    assert!(job.n_committed() >= n_rows);
    job.check_goes_on(job.n_committed());
}

#[test]
fn a_killed_job_says_what_it_has_lost() {
    let mut job = Job::new();
    // Nothing is committed before it is killed, and it says how far it is each second.
    "token_budget: 256, commit_every: 3600,".clone_into(&mut job.batches);
    let mut running = job.start(SLOW / 5);
    let rows = || job.status()["owner"]["beat"]["rows"].as_u64().unwrap_or(0);
    running.wait_until(|| job.ledger().exists() && rows() > 50);
    let n_lost = rows();
    running.killed();
    assert_eq!(job.n_committed(), 0);
    let done = job.run().check_code(REJECTED);
    assert_eq!(done.figure("resumed"), 0);
    let status = job.status_of_finished();
    assert!(status["lost_rows"].as_u64().unwrap() >= n_lost, "{status}");
    assert!(status["lost_seconds"].as_f64().unwrap() > 0.5, "{status}");
    assert_eq!(status["stretches"].as_array().unwrap().len(), 2, "{status}");
    job.check_whole();
}
