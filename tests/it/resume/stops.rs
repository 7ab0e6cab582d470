//! A job that is told to stop, and run again.

use super::{
    job::{FAST, Job, REJECTED, SLOW, proteins},
    running::{read, sum},
};
use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use runner::sink::ledger::{Entry, Ledger};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    thread,
    time::Duration,
};

/// How a job ends that is told to stop.
const STOPPED: i32 = 75;

#[test]
fn a_job_that_is_told_to_stop_computes_nothing_twice() {
    Job::of_both_kinds(|mut job| {
        job.is_told = true;
        let (mut n_computed, mut n_read) = (0, 0);
        for _ in 0..3 {
            let n_before = job.commits().len();
            let mut running = job.start(SLOW);
            running.wait_until(|| job.commits().len() > n_before + 1);
            running.send(Signal::SIGTERM);
            let done = running.done().check_code(STOPPED);
            n_computed += done.sum("batch_encoded", "sequences");
            assert_eq!(n_computed as usize, job.n_committed());
            // What was rejected behind the last row is done, too.
            n_read += done.sum("records_read", "records");
            let next = job.commits().last().unwrap()["to"].as_u64().unwrap();
            let is_short = next % 10 == 7;
            assert!(!is_short || next >= n_read, "record {next} of {n_read}");
            n_read = next;
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
fn what_is_rejected_before_the_first_row_is_kept() {
    const N_SHORT: usize = 50_000;
    Job::of_both_kinds(|mut job| {
        let mut text = String::new();
        (0..N_SHORT).for_each(|n| writeln!(text, ">s{n}\nMKV").unwrap());
        let rest = proteins(20);
        fs::write(job.path("in.fa"), format!("{text}{rest}")).unwrap();
        mkfifo(&job.path("pipe"), Mode::S_IRWXU).unwrap();
        let dataset = job.dataset.clone();
        job.dataset = dataset.replace("in.fa", "pipe");
        job.is_told = true;
        let mut running = job.start(FAST);
        let pipe = job.path("pipe");
        // It never comes to its end, as the job is told to stop before.
        let writer = thread::spawn(move || {
            let mut pipe = File::options().write(true).open(pipe).unwrap();
            for piece in text.as_bytes().chunks(4096).cycle() {
                if pipe.write_all(piece).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(5));
            }
        });
        let stderr = running.stderr.clone();
        running.wait_until(|| sum(&read(&stderr), "records_read", "records") > 0);
        running.send(Signal::SIGTERM);
        let done = running.done().check_code(STOPPED);
        writer.join().unwrap();
        let n_rejected = done.sum("records_read", "rejected") as usize;
        let commits = job.commits();
        assert_eq!(commits.len(), 1, "{commits:?}");
        let commit = &commits[0];
        assert_eq!(
            (&commit["rows"], &commit["rejected"]),
            (&0.into(), &n_rejected.into())
        );
        assert!(n_rejected < N_SHORT, "it was to be stopped before");
        fs::remove_file(job.path("pipe")).unwrap();
        job.dataset = dataset;
        job.is_told = false;
        job.check_goes_on(0);
    });
}

#[test]
fn a_stop_without_grace_on_the_cpu_keeps_nearly_all_that_is_computed() {
    // Batches of four rows, and one of them may be on its way.
    const ON_THEIR_WAY: u64 = 8;
    Job::of_both_kinds(|mut job| {
        "cpu".clone_into(&mut job.device);
        "token_budget: 256, commit_every: 3600, grace: 0,".clone_into(&mut job.batches);
        job.is_told = true;
        let mut n_computed = 0;
        for _ in 0..3 {
            let n_before = job.n_committed() as u64;
            let mut running = job.start(SLOW);
            let stderr = running.stderr.clone();
            running.wait_until(|| sum(&read(&stderr), "batch_encoded", "sequences") >= 20);
            running.send(Signal::SIGTERM);
            let done = running.done().check_code(STOPPED);
            let n_kept = job.n_committed() as u64 - n_before;
            let n_now = done.sum("batch_encoded", "sequences");
            assert!(n_kept + ON_THEIR_WAY >= n_now, "{n_kept} of {n_now}");
            n_computed += n_now;
        }
        let n_committed = job.n_committed();
        assert!(n_committed as u64 + 3 * ON_THEIR_WAY >= n_computed);
        job.check_goes_on(n_committed);
    });
}

#[test]
fn a_stop_while_old_parts_are_looked_at_publishes_nothing() {
    // It takes hours to read and no space on the disk.
    const HUGE: u64 = 4 << 40;
    Job::of_both_kinds(|mut job| {
        let n_committed = job.interrupt();
        let n_rows = job.undisturbed().rows.len();
        let part = job.part(&job.commits()[0]);
        let contents = fs::read(&part).unwrap();
        let (mut ledger, history) = Ledger::open(&job.ledger()).unwrap().unwrap();
        let commit = history.commits[0].clone();
        let mut huge = commit.clone();
        huge.file.as_mut().unwrap().bytes = HUGE;
        ledger.append(&Entry::Commit(huge)).unwrap();
        drop(ledger);
        let file = File::options().write(true).open(&part).unwrap();
        file.set_len(HUGE).unwrap();

        job.is_told = true;
        let mut running = job.start(FAST);
        let stderr = running.stderr.clone();
        let n_missing = (n_rows - n_committed) as u64;
        // All that is missing is computed while the parts are looked at.
        running.wait_until(|| sum(&read(&stderr), "rows_written", "rows") == n_missing);
        running.send(Signal::SIGTERM);
        running.done().check_code(STOPPED);
        assert!(!job.is_published());
        assert_eq!(job.status()["state"], "stopped");

        fs::write(&part, contents).unwrap();
        let (mut ledger, _) = Ledger::open(&job.ledger()).unwrap().unwrap();
        ledger.append(&Entry::Commit(commit)).unwrap();
        drop(ledger);
        job.is_told = false;
        job.check_goes_on(n_rows);
    });
}

#[test]
fn a_stop_while_a_job_goes_on_keeps_what_was_there() {
    let job = Job::new();
    let n_rows = job.interrupt();
    let mut running = job.start(20);
    let path = job.ledger();
    let n_stretches = || read(&path).matches("{\"stretch\"").count();
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
