//! What whoever looks on is told of a run that was stopped, and of one that went on.

use super::{
    code,
    place::{Place, wait_until},
    send, text,
};
use crate::RUNNER;
use nix::sys::signal::Signal;
use std::{fs, io::Read};

/// Runs a job to its end and gives what it wrote to standard output and to standard error.
fn finished(place: &Place, args: &[&str]) -> (String, String) {
    let done = place.command(RUNNER).args(args).output().unwrap();
    let stderr = text(&done.stderr);
    assert_eq!(done.status.code(), Some(7), "{stderr}");
    (text(&done.stdout), stderr)
}

#[test]
fn a_run_that_goes_on_says_so_and_its_report_shows_each_stretch() {
    let place = Place::new();
    let options = "output: \"out.parquet\", commit_every: 0.05";
    let job = place.job("a", 60_000, options);
    let script = fs::read_to_string(place.path(&job)).unwrap();
    let script = script.replace("embed(", "let run = embed(") + "print(run);";
    fs::write(place.path(&job), script).unwrap();
    let ledger = place.path("out.parquet.parts/ledger.jsonl");
    let n_commits = || {
        let lines = fs::read_to_string(&ledger).unwrap_or_default();
        lines.matches("{\"commit\":").count()
    };
    let started = |n_before: usize| {
        let child = place.command(RUNNER).args(["exec", &job]).spawn().unwrap();
        wait_until(|| n_commits() > n_before);
        child
    };

    let mut killed = started(0);
    send(&mut killed, Signal::SIGKILL);
    assert_eq!(code(&mut killed), None);

    let mut stopped = started(n_commits());
    send(&mut stopped, Signal::SIGTERM);
    assert_eq!(code(&mut stopped), Some(75));
    let mut stderr = String::new();
    let mut pipe = stopped.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    for part in [
        "going on after record ",
        " rows are there already",
        "stopped after ",
        " rows are kept in `out.parquet.parts`: run the same command again to go on",
    ] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    assert!(!stderr.contains("failed after"), "{stderr}");

    let (stdout, stderr) = finished(&place, &["exec", &job, "--report", "run.html"]);
    assert!(stdout.contains(" there before"), "{stdout}");
    assert!(stderr.contains("going on after record "), "{stderr}");
    assert!(stderr.contains("1 record was rejected"), "{stderr}");
    let page = fs::read_to_string(place.path("run.html")).unwrap();
    for part in ["Stretches of work", "3 processes worked on the output."] {
        assert!(page.contains(part), "{part} is not in {page}");
    }

    let (stdout, stderr) = finished(&place, &["exec", &job]);
    assert!(stdout.starts_with("embedded 0 sequences"), "{stdout}");
    assert!(
        stdout.contains("was finished before, and nothing was computed"),
        "{stdout}"
    );
    assert!(
        stderr.contains("nothing to compute: all 999 rows are there already"),
        "{stderr}"
    );
}
